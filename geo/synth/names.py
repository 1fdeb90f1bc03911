"""Names that sound right, and codes that cannot be mistaken for real ones.

Division codes have twelve digits in the usual structure. The two digits of the prefecture are 99,
which no province has, so an invented city never meets the codes of a real one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DISTRICTS = ("清江", "东湖", "新城", "临港", "高新", "城中")
STREET_NAMES = (
    "解放", "学院", "滨江", "东山", "西坝", "云集", "南苑", "北苑", "大公桥", "万寿桥", "伍家岗",
    "宝塔河", "夜明珠", "石板铺", "青云", "翠屏", "龙泉", "望江", "白鹤", "桂花", "金盘", "长虹",
    "凤凰", "和平",
)  # fmt: skip
COMMUNITY_FIRST = (
    "东", "西", "南", "北", "新", "永", "安", "康", "福", "春", "长", "大", "金", "玉", "清", "白",
    "红", "石", "龙", "凤", "花", "竹", "柳", "松", "桃", "梅", "桂", "杏", "云", "星", "明", "平",
)  # fmt: skip
COMMUNITY_LAST = (
    "苑", "湖", "桥", "街", "园", "坡", "井", "塘", "台", "和", "宁", "乐", "泰", "华", "兴", "庆",
    "阳", "山", "溪", "泉", "岭", "湾", "洲", "门", "里", "庄",
)  # fmt: skip
ROAD_FIRST = (
    "人民", "解放", "建设", "中山", "和平", "胜利", "新华", "文化", "东风", "青年", "长江", "沿江",
    "学院", "体育场", "珍珠", "云集", "西陵", "夷陵", "港窑", "城东", "发展", "桔乡", "峡州",
    "合益",
    "果园", "绿萝", "白沙", "明珠", "二马", "三峡", "光明", "民主", "工农", "五一", "八一", "友谊",
    "团结", "幸福", "朝阳", "迎宾", "火炬", "花溪", "松林", "翠竹", "桂香", "杨柳", "银杏", "梧桐",
)  # fmt: skip
ROAD_LAST = {
    "arterial": ("大道", "大道", "路"),
    "main": ("路", "路", "大街"),
    "minor": ("街", "路", "巷"),
    "path": ("巷", "里", "弄"),
}
COMPOUND_FIRST = (
    "阳光", "锦绣", "翡翠", "金色", "碧水", "滨江", "东方", "紫荆", "丽景", "御景", "世纪", "清华",
    "盛世", "华府", "万豪", "香榭", "水岸", "绿城", "星河", "康乐", "安居", "怡和", "桃源", "书香",
    "枫林", "梧桐", "玫瑰", "月亮", "山水", "和谐",
)  # fmt: skip
COMPOUND_LAST = (
    "花园", "家园", "新村", "小区", "名苑", "华庭", "公馆", "雅苑", "佳园", "城", "苑", "里", "湾",
    "府", "国际", "嘉园",
)  # fmt: skip
WORKPLACES = (
    "纺织厂",
    "机床厂",
    "铁路",
    "水厂",
    "供电局",
    "邮电",
    "税务局",
    "教师",
    "粮食局",
    "港务局",
)
SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰玉文华建国红梅志鹏晓燕海波婷宇浩欣雪峰丹慧"
SHOP_KINDS = (
    "便利店", "面馆", "水果店", "药店", "理发店", "五金店", "早餐店", "超市", "茶馆", "洗衣店",
    "手机维修", "服装店", "烟酒店", "文具店", "快递驿站", "火锅店", "宠物店", "电动车行",
)  # fmt: skip


def draw_unique(
    rng: np.random.Generator, first: tuple[str, ...], last: tuple[str, ...], count: int
) -> list[str]:
    """Names made of two parts, each once; with 东, 西 … before them when the pairs run out."""
    pairs = [a + b for a in first for b in last]
    rng.shuffle(pairs)
    marks = ["", "东", "西", "南", "北", "新", "上", "下", "前", "后", "中", "老", "小", "大"]
    more = [mark + pair for mark in marks for pair in pairs]
    while len(more) < count:
        more += [f"{name}{len(more)}" for name in more[: count - len(more)]]
    return more[:count]


def name_people(rng: np.random.Generator, count: int) -> list[str]:
    """Full names; they repeat, as names do."""
    surname = rng.choice(list(SURNAMES), count)
    given = rng.choice(list(GIVEN), (count, 2))
    short = rng.random(count) < 0.3
    return [
        s + (g[0] if one else g[0] + g[1]) for s, g, one in zip(surname, given, short, strict=True)
    ]


def name_roads(
    rng: np.random.Generator, street: Ints, kind: npt.NDArray[np.str_], ring: Bools
) -> npt.NDArray[np.object_]:
    """A name for each edge, the same along a street: 人民大道, 解放一路, 桂香巷."""
    out = np.full(len(street), None, dtype=object)
    order = {"arterial": 0, "main": 1, "minor": 2, "path": 3}
    best: dict[int, str] = {}
    for number, word in zip(street, kind, strict=True):
        if word in order and (number not in best or order[word] < order[best[number]]):
            best[int(number)] = str(word)
    names: dict[int, str] = {}
    for word in order:
        mine = sorted(number for number, grade in best.items() if grade == word)
        pool = list(ROAD_FIRST)
        rng.shuffle(pool)
        marks = ("", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十")
        for place, number in enumerate(mine):
            stem = pool[place % len(pool)]
            turn = place // len(pool)
            mark = marks[turn] if turn < len(marks) else f"{turn}"
            names[number] = stem + mark + ROAD_LAST[word][int(rng.integers(3))]
    for place, number in enumerate(street):
        out[place] = names.get(int(number))
    out[ring] = "环城路"
    out[kind == "river"] = "清江"
    out[kind == "rail"] = "清宁铁路"
    return out


def county_code(province: str, district: int) -> str:
    """Six digits of an invented county: prefecture 99, which no province has."""
    return f"{province}99{1 + district:02d}"


def city_code(province: str) -> str:
    """Twelve digits of an invented city."""
    return f"{province}9900000000"


def number_below(parent: Ints, rural: Bools, *, first: int) -> Ints:
    """Number members inside their parent, in order: from 1, and rural ones from `first`."""
    out = np.zeros(len(parent), dtype=np.int64)
    seen: dict[tuple[int, bool], int] = {}
    for place, key in enumerate(zip(parent.tolist(), rural.tolist(), strict=True)):
        seen[key] = seen.get(key, first - 1 if key[1] else 0) + 1
        out[place] = seen[key]
    return out
