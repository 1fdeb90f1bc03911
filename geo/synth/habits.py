"""How the people of an invented city work: their hours, how often a case takes a turn, their words.

The shares are ours, in the order of what cities report (standards.md 1.6), without a source for the
figures.
"""

from __future__ import annotations

UTC_OFFSET_S = 8 * 3600
OPENS_S, CLOSES_S = 7 * 3600 + 1800, 21 * 3600
"""Seconds of the local day between which the centres and the departments work."""

SHARES = {
    "on_spot": 0.09,
    "cancel": 0.035,
    "raise_early": 0.008,
    "return": 0.03,
    "transfer": 0.025,
    "raise": 0.02,
    "postpone": 0.045,
    "force": 0.004,
    "rework": 0.045,
    "supervise": 0.02,
}
"""How many of the cases that can take a turn do; the turns from return to force exclude each other.
Ours, in the order of what cities report (standards.md 1.6), without a source for the figures."""

SOURCES = ("collector", "hotline", "app", "video", "patrol")
SOURCE_ODDS = (0.46, 0.2, 0.16, 0.12, 0.06)
NOTES: dict[str, tuple[str, ...]] = {
    "cancel": ("核实不属实", "不属于受理范围", "现场已恢复，不予立案"),
    "handle_on_spot": ("现场劝离", "现场清理完毕", "当场整改"),
    "merge": ("与在办案件重复，合并处理",),
    "return": ("不属于本部门职责", "权属不清，请重新派遣", "位置在管辖范围之外"),
    "transfer": ("经核实应由其他部门处置，转办", "权属单位变更，转办"),
    "raise": ("网格内无法解决，上报上级协调", "涉及多个部门，请上级牵头"),
    "ask_postponement": ("需协调权属单位，申请延期", "待备件到货，申请延期", "天气原因无法施工"),
    "refuse_postponement": ("理由不充分，按原时限处置",),
    "supervise": ("临近时限，请抓紧处置", "群众反映强烈，督办", "已超时，请说明原因"),
    "feed_back": ("已处置完毕", "已清理，现场照片附后", "已修复", "已整改到位"),
    "rework": ("核查不合格，返工", "现场仍有残留，请继续处置"),
    "force_close": ("现场条件已变化，强制结案",),
}
