// @ts-check
/** Lines on the pages of the board. Pure. */

/** @typedef {import("./types.js").BoardPage} BoardPage */
/** @typedef {import("./types.js").Line} Line */

/** A page that is known whole. @param {import("./room.js").Stroke[]} strokes @returns {BoardPage} */
export function pageFrom(strokes) {
  return {
    complete: true,
    lines: strokes.map(({ id, colour, width, points }) => ({
      id,
      joined: true,
      colour,
      width,
      pieces: [points],
    })),
  };
}

/**
 * @param {Record<number, BoardPage>} pages
 * @param {import("./room.js").Act} act
 */
export function onBoard(pages, act) {
  const known = (/** @type {number} */ page) => pages[page] ?? { lines: [], complete: false };
  switch (act.type) {
    case "draw": {
      const { page, ...stroke } = act.stroke;
      return { ...pages, [page]: drawn(known(page), stroke) };
    }
    case "undo":
      return { ...pages, [act.page]: undone(known(act.page), act.stroke) };
    case "wipe":
      return { ...pages, [act.page]: { lines: [], complete: true } };
    default:
      return pages;
  }
}

/** @param {BoardPage} page @param {Omit<import("./room.js").Stroke, "page">} stroke @returns {BoardPage} */
function drawn(page, { id, colour, width, points }) {
  // A joined line keeps the id of its first: what goes on with that one is drawn as a line of its own.
  const at = page.lines.findIndex((line) => line.id === id && !line.joined);
  const old = page.lines[at];
  if (!old)
    return { ...page, lines: [...page.lines, { id, joined: false, colour, width, pieces: [points] }] };
  const lines = [...page.lines];
  lines[at] = { ...old, pieces: [...old.pieces, points] };
  return { ...page, lines };
}

/**
 * Takes a line away. One that came joined with others cannot be found: the page must be asked for.
 * @param {BoardPage} page @param {string | null} stroke @returns {BoardPage}
 */
function undone(page, stroke) {
  const line = page.lines.find((each) => each.id === stroke);
  if (!line || line.joined) return { ...page, complete: false };
  return { ...page, lines: page.lines.filter((each) => each !== line) };
}
