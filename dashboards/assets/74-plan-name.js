/* Another name for the plan, written in the place of the old one: Enter keeps it, Esc leaves it. What others
   call it meanwhile comes with the next question to the server. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const c = w.cases;
  const h = c.h;
  const plan = w.plan;
  const MOST = 100; // as dashboards/plan_routes.py has it
  const at = (id) => document.getElementById(id);
  let open = null;

  plan.renaming = () => Boolean(open && open.busy);
  function show() {
    const button = at("plan-rename");
    if (button) button.hidden = !plan.s || Boolean(open);
  }
  /* What is wrong with a name, in words; "" if nothing is. */
  function trouble(name) {
    if (!name) return plan.words("rename.empty");
    return [...name].length > MOST ? plan.words("rename.long", { most: MOST, n: [...name].length }) : "";
  }
  function close(focus) {
    if (!open) return;
    const { form } = open;
    open = null;
    form.remove();
    at("plan-chooser").hidden = false;
    show();
    if (focus) at("plan-rename").focus();
  }
  plan.rename = function () {
    if (!plan.s || open) return;
    if (!c.me) return c.chooseMe(plan.words("who"));
    const wrong = h("span", { class: "plan-name-wrong", role: "alert", id: "plan-name-wrong" });
    const input = h("input", { id: "plan-name", class: "inc-input", value: plan.s.name, "aria-label": plan.words("rename.label"), title: plan.words("rename.label"), "aria-describedby": "plan-name-wrong", autocomplete: "off" });
    const form = h("form", { class: "plan-name-form" }, input, wrong);
    open = { form, busy: false };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      keep(input, wrong);
    });
    form.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape") return;
      event.preventDefault();
      close(true);
    });
    input.addEventListener("input", () => tell(input, wrong, ""));
    // Who goes elsewhere without having said so keeps the old name.
    input.addEventListener("blur", () => open && !open.busy && close(false));
    at("plan-chooser").hidden = true;
    at("plan-chooser").after(form);
    show();
    input.focus();
    input.select();
  };
  function tell(input, wrong, text) {
    wrong.textContent = text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  }
  async function keep(input, wrong) {
    if (!open || open.busy) return;
    const name = input.value.trim().replace(/\s+/g, " ");
    const bad = trouble(name);
    if (bad) return tell(input, wrong, bad);
    if (name === plan.s.name) return close(true);
    open.busy = true;
    const id = plan.s.id;
    const answer = await c.post("/plan/" + encodeURIComponent(id) + "/name", { name, ...c.viewer() });
    if (!open || !plan.s || plan.s.id !== id) return;
    open.busy = false;
    if (!answer.ok) return tell(input, wrong, c.trouble(answer));
    plan.s.name = answer.body.name;
    close(true);
    plan.tell("name", plan.s.name);
    plan.say(plan.words("rename.done", { name: plan.s.name }), { kind: "good", seconds: 6 });
  }

  plan.on("load", () => { close(false); show(); });
  plan.on("loading", show);
  plan.on("failed", () => { close(false); show(); });
  plan.onBegin(() => {
    at("plan-rename").addEventListener("click", plan.rename);
    show();
  });
})();
