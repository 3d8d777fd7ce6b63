// @ts-check
/** Few helpers for the page: its words, its places, and lists that keep what did not change. */

/** The words of the page, in its language; scripts hold none. */
export class Words {
  /** @param {ParentNode} root */
  constructor(root) {
    /** @type {Map<string, string>} */
    this.words = new Map();
    const template = root.querySelector("template[data-class-text]");
    const inside = template instanceof HTMLTemplateElement ? template.content : null;
    for (const each of inside?.querySelectorAll("[data-key]") ?? []) {
      this.words.set(each.getAttribute("data-key") ?? "", (each.textContent ?? "").trim());
    }
    this.number = new Intl.NumberFormat(document.documentElement.lang || undefined, {
      maximumFractionDigits: 1,
    });
  }

  /** @param {string} key @param {Record<string, string | number>} [values] */
  say(key, values = {}) {
    return (this.words.get(key) ?? key).replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name] ?? "";
      return typeof value === "number" ? this.number.format(value) : value;
    });
  }
}

/**
 * The one element with this mark, or null where the page goes without it.
 * @param {ParentNode} root @param {string} name @returns {HTMLElement | null}
 */
export function place(root, name) {
  return root.querySelector(`[data-place="${name}"]`);
}

/** @param {ParentNode} root @param {string} name @param {(event: Event) => void} act */
export function onClick(root, name, act) {
  for (const each of root.querySelectorAll(`[data-act="${name}"]`)) each.addEventListener("click", act);
}

/** @param {ParentNode} root @param {string} name @returns {HTMLButtonElement | null} */
export function button(root, name) {
  return root.querySelector(`[data-act="${name}"]`);
}

/** @param {ParentNode} root @param {string} name @returns {HTMLFormElement | null} */
export function form(root, name) {
  return root.querySelector(`form[data-form="${name}"]`);
}

/** @param {HTMLFormElement} within @param {string} name @returns {HTMLInputElement} */
export function field(within, name) {
  return /** @type {HTMLInputElement} */ (within.elements.namedItem(name));
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} [className] @param {string} [text]
 */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** What people typed: its own direction, never markup. @param {string} className @param {string} text */
export function typed(className, text) {
  const made = element("span", className, text);
  made.dir = "auto";
  return made;
}

/**
 * Writes only what changed, so that a screen reader hears it once.
 * @param {Element | null} where
 * @param {string} text
 */
export function write(where, text) {
  if (where && where.textContent !== text) where.textContent = text;
}

/** @param {Element | null} where @param {boolean} shown */
export function show(where, shown) {
  where?.toggleAttribute("hidden", !shown);
}

/**
 * Brings a list up to date without touching rows that stay: focus and open menus survive.
 * @template T
 * @param {HTMLElement | null} list
 * @param {readonly T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make
 * @param {(row: HTMLElement, item: T) => void} [update]
 */
export function keyed(list, items, key, make, update) {
  if (!list) return;
  /** @type {Map<string, HTMLElement>} */
  const known = new Map();
  for (const row of /** @type {HTMLElement[]} */ ([...list.children])) {
    if (row.dataset.key) known.set(row.dataset.key, row);
    else row.remove();
  }
  let before = /** @type {Element | null} */ (null);
  for (const item of items) {
    const id = key(item);
    const row = known.get(id) ?? make(item);
    known.delete(id);
    row.dataset.key = id;
    update?.(row, item);
    const next = before ? before.nextElementSibling : list.firstElementChild;
    if (next !== row) list.insertBefore(row, next);
    before = row;
  }
  for (const row of known.values()) row.remove();
}
