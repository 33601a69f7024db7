// What is drawn in the same way everywhere. What has a colour is told by its shape too.

/** Each failure's shape, in a square from -1 to 1. @type {Record<string, string>} */
const SHAPES = {
  refused: "M-1-1 1 1M-1 1 1-1",
  reset: "M-1-1 1-.2-1 .2 1 1",
  "timed out": "M-1-1 1-1-1 1 1 1-1-1",
  "closed early": "M-1 0H0M0-1V1",
  unreachable: "M-1 1 0-1 1 1-1 1",
  "not sent": "M-1 0H1",
  status: "M-1-1H1V1H-1V-1",
};

/** @param {string} outcome */
const shape = (outcome) => SHAPES[outcome] ?? SHAPES.status;

/** The shapes as paths, each of which is read once. @type {Record<string, Path2D>} */
const paths = {};

/** @param {string} outcome */
export const pathOf = (outcome) => (paths[shape(outcome)] ??= new Path2D(shape(outcome)));

/** @type {Map<string, string>} */
const colours = new Map();

/** A colour of the style sheet, as the theme has it. @param {string} name */
export function colour(name) {
  let value = colours.get(name);
  if (!value) {
    // A property that forced colours leave alone.
    document.body.style.floodColor = `var(--${name})`;
    value = getComputedStyle(document.body).floodColor;
    colours.set(name, value);
  }
  return value;
}

export const forgetColours = () => colours.clear();

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the reader wants nothing to move. */
export const calm = () => still.matches;

/** A sign for the legend. @param {string} outcome */
export const sign = (outcome) => svg(shape(outcome), "failure", "sign", "-1.4 -1.4 2.8 2.8");

/** A look's pattern for the legend. @param {number} look */
export function pattern(look) {
  const path = pieces(look).map(([a, b]) => `M7 ${a * 14}V${b * 14}`).join("");
  return svg(path, `v${look}`);
}

/** @param {string} path @param {string} stroke a colour of the style sheet @param {string} name @param {string} box */
export function svg(path, stroke, name = "sign", box = "0 0 14 14") {
  const image = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  image.setAttribute("viewBox", box);
  image.setAttribute("class", name);
  image.style.stroke = `var(--${stroke})`;
  image.setAttribute("aria-hidden", "true");
  const line = image.appendChild(document.createElementNS(image.namespaceURI ?? "", "path"));
  line.setAttribute("d", path);
  return image;
}

/** The first look is a whole line, the next ones are in two to four pieces, and the last ones are half a line.
 * @param {number} look */
export function pieces(look) {
  if (look > 3) return [[look / 2 - 2, look / 2 - 1.5]];
  const count = look + 1;
  return Array.from({ length: count }, (_, i) => [i / count, (i + (count > 1 ? 0.72 : 1)) / count]);
}

/**
 * An empty picture as wide as its canvas is shown, in the pixels of the screen; `null` while it isn't shown.
 * @param {HTMLCanvasElement} canvas @param {number} height @param {number} scale how much larger all of it is drawn
 */
export function fit(canvas, height, scale) {
  const width = canvas.clientWidth, ratio = devicePixelRatio;
  const g = canvas.getContext("2d");
  if (!g || !width) return null;
  const [wide, high] = [width, height].map((size) => Math.round(size * ratio));
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  g.setTransform(ratio * scale, 0, 0, ratio * scale, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = "12px system-ui, sans-serif";
  return g;
}
