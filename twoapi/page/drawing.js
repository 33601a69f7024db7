// What is drawn in the same way everywhere. What has a colour is told by its shape too.

/** Each failure's shape, as strokes in a square from -1 to 1. @type {Record<string, number[][]>} */
const SHAPES = {
  refused: [[-1, -1, 1, 1], [-1, 1, 1, -1]],
  reset: [[-1, -1, 1, -0.2, -1, 0.2, 1, 1]],
  "timed out": [[-1, -1, 1, -1, -1, 1, 1, 1, -1, -1]],
  "closed early": [[-1, 0, 0, 0], [0, -1, 0, 1]],
  unreachable: [[-1, 1, 0, -1, 1, 1, -1, 1]],
  "not sent": [[-1, 0, 1, 0]],
  status: [[-1, -1, 1, -1, 1, 1, -1, 1, -1, -1]],
};

/** @param {string} outcome */
export const shape = (outcome) => SHAPES[outcome] ?? SHAPES[outcome.startsWith("status") ? "status" : "unreachable"];

/** @type {Map<string, string>} */
const colours = new Map();

/** A colour of the style sheet, as the theme has it. @param {string} name */
export function colour(name) {
  let value = colours.get(name);
  if (!value) {
    document.body.style.setProperty("outline-color", `var(--${name})`);
    value = getComputedStyle(document.body).outlineColor;
    colours.set(name, value);
  }
  return value;
}

export const forgetColours = () => colours.clear();

/** Whether the reader wants nothing to move. */
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A sign for the legend. @param {string} outcome */
export function sign(outcome) {
  const path = shape(outcome).map((line) => "M" + line.map((n) => n * 5 + 7).join(" ")).join("");
  return svg(path, "failure");
}

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
 * @param {HTMLCanvasElement} canvas @param {number} height
 */
export function fit(canvas, height) {
  const [width, ratio] = [canvas.clientWidth, devicePixelRatio];
  const g = canvas.getContext("2d");
  if (!g || !width) return null;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  return g;
}
