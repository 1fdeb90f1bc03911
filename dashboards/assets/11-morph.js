/* Brings the elements of a panel to a newer state without making them anew: dash replaces all children
   of an element that a callback writes, and with them focus, scroll and a pressed button. Panels come
   as the component trees that dash would draw (html only); what is equal stays the same element. Items
   of a list carry `data-key`, so that a new one in front moves nothing. */
(function () {
  "use strict";
  const w = (window.wangge = window.wangge || {});
  const NAMES = { className: "class", tabIndex: "tabindex", dateTime: "datetime", htmlFor: "for", colSpan: "colspan", rowSpan: "rowspan" };
  const SKIPPED = new Set(["children", "key", "id", "style"]);

  const list = (children) => (children === null || children === undefined ? [] : Array.isArray(children) ? children.flat(Infinity) : [children]).filter((c) => c !== null && c !== undefined && c !== false);
  const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
  const isElement = (tree) => typeof tree === "object";
  const kebab = (name) => name.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());

  function fits(node, tree) {
    if (!isElement(tree)) return node.nodeType === 3;
    if (node.nodeType !== 1 || node.tagName.toLowerCase() !== tree.type.toLowerCase()) return false;
    const key = tree.props["data-key"];
    return (key === undefined ? null : String(key)) === keyOf(node);
  }

  function dress(element, props) {
    const wanted = new Map();
    for (const [name, value] of Object.entries(props)) {
      if (SKIPPED.has(name) || value === null || value === undefined || value === false) continue;
      wanted.set(NAMES[name] || name.toLowerCase(), value === true ? "" : String(value));
    }
    if (props.id !== undefined) wanted.set("id", props.id);
    for (const [name, value] of wanted) if (element.getAttribute(name) !== value) element.setAttribute(name, value);
    for (const { name } of [...element.attributes]) {
      if (!wanted.has(name) && name !== "style" && !name.startsWith("data-dash")) element.removeAttribute(name);
    }
    const style = props.style || {};
    for (const [name, value] of Object.entries(style)) {
      if (element.style.getPropertyValue(kebab(name)) !== String(value)) element.style.setProperty(kebab(name), value);
    }
    for (const name of [...element.style]) {
      if (!Object.keys(style).some((own) => name === kebab(own) || name.startsWith(kebab(own) + "-"))) element.style.removeProperty(name);
    }
  }

  function make(tree) {
    if (!isElement(tree)) return document.createTextNode(String(tree));
    const element = document.createElement(tree.type.toLowerCase());
    dress(element, tree.props);
    for (const child of list(tree.props.children)) element.append(make(child));
    return element;
  }

  function update(node, tree) {
    if (!isElement(tree)) {
      if (node.nodeValue !== String(tree)) node.nodeValue = String(tree);
      return;
    }
    dress(node, tree.props);
    w.morph(node, tree.props.children);
  }

  /* Make the children of `parent` those of `children`. */
  w.morph = function (parent, children) {
    const trees = list(children);
    const free = [...parent.childNodes];
    const chosen = trees.map((tree) => {
      const k = free.findIndex((node) => fits(node, tree));
      return k < 0 ? null : free.splice(k, 1)[0];
    });
    for (const node of free) node.remove();
    let next = parent.firstChild;
    trees.forEach((tree, k) => {
      const node = chosen[k];
      if (node === null) parent.insertBefore(make(tree), next);
      else {
        if (node === next) next = next.nextSibling;
        else parent.insertBefore(node, next);
        update(node, tree);
      }
    });
  };

  /* Panels by the id of their element. */
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.panels = {
    show(panels, config) {
      if (!panels || (w.begin && !w.begin(config))) return window.dash_clientside.no_update;
      for (const [id, children] of Object.entries(panels)) {
        const element = document.getElementById(id);
        if (element) w.morph(element, children);
      }
      if (w.runClocks) w.runClocks();
      return Object.keys(panels).join(" ");
    },
  };
})();
