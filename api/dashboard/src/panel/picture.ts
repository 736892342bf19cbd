// A picture of a part of the page, as it looks now: boxes, texts and drawings are painted onto a canvas. Nothing is loaded and no
// markup is made, so that the content security policy has nothing to forbid.

const SCALE = 2;
const MARGIN = 12;

/** Things that are marked so are left out: menus and buttons say nothing in a picture. */
const LEFT_OUT = "[data-no-picture]";

export async function pictureOf(root: HTMLElement): Promise<Blob> {
  const box = root.getBoundingClientRect();
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil((box.width + 2 * MARGIN) * SCALE);
  canvas.height = Math.ceil((box.height + 2 * MARGIN) * SCALE);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws no pictures");
  context.scale(SCALE, SCALE);
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, box.width + 2 * MARGIN, box.height + 2 * MARGIN);
  context.translate(MARGIN - box.left, MARGIN - box.top);
  paint(context, root);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the picture could not be made"))), "image/png");
  });
}

function paint(context: CanvasRenderingContext2D, element: Element): void {
  if (element.matches(LEFT_OUT)) return;
  const style = getComputedStyle(element);
  if (style.display === "none" || style.visibility === "hidden") return;
  context.save();
  context.globalAlpha *= Number(style.opacity);
  if (element instanceof SVGSVGElement || element instanceof SVGGElement) children(context, element);
  else if (element instanceof SVGGraphicsElement) paintShape(context, element, style);
  else if (element instanceof HTMLElement) paintBox(context, element, style);
  context.restore();
}

function paintBox(context: CanvasRenderingContext2D, element: HTMLElement, style: CSSStyleDeclaration): void {
  const box = element.getBoundingClientRect();
  const outline = new Path2D();
  outline.roundRect(box.left, box.top, box.width, box.height, Number.parseFloat(style.borderTopLeftRadius) || 0);
  context.fillStyle = style.backgroundColor;
  context.fill(outline);
  const border = Number.parseFloat(style.borderTopWidth);
  if (border > 0 && style.borderTopStyle !== "none") {
    context.strokeStyle = style.borderTopColor;
    context.lineWidth = border;
    // A side alone is a rule, not a frame.
    if (Number.parseFloat(style.borderLeftWidth) > 0) context.stroke(outline);
    else context.strokeRect(box.left, box.top, box.width, 0);
  }
  if (style.overflowX !== "visible") context.clip(outline);
  children(context, element);
}

function children(context: CanvasRenderingContext2D, element: Element): void {
  for (const child of element.childNodes) {
    if (child instanceof Element) paint(context, child);
    else if (child instanceof Text) paintText(context, child, element);
  }
}

/** Line by line, as the browser has broken it. */
function paintText(context: CanvasRenderingContext2D, text: Text, parent: Element): void {
  if (text.data.trim() === "") return;
  const style = getComputedStyle(parent);
  context.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  context.textBaseline = "alphabetic";
  context.direction = style.direction === "rtl" ? "rtl" : "ltr";
  context.textAlign = "left";
  for (const { line, box } of linesOf(text)) {
    const size = context.measureText(line);
    const middle = (size.fontBoundingBoxAscent - size.fontBoundingBoxDescent) / 2;
    context.fillText(line, box.left, box.top + box.height / 2 + middle);
  }
}

function linesOf(text: Text): { line: string; box: DOMRect }[] {
  const lines: { line: string; box: DOMRect }[] = [];
  const range = document.createRange();
  for (const { index, 0: word } of text.data.matchAll(/\S+\s*/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const box = range.getBoundingClientRect();
    if (box.width === 0) continue;
    const last = lines.at(-1);
    // A word beside the last one and as high belongs to its line; written from the right, the line begins further left.
    if (last && Math.abs(last.box.top - box.top) < 2) {
      const left = Math.min(last.box.left, box.left);
      lines[lines.length - 1] = { line: last.line + word, box: new DOMRect(left, box.top, 0, box.height) };
    } else lines.push({ line: word, box });
  }
  return lines.map(({ line, box }) => ({ line: line.replaceAll(/\s+/g, " ").trimEnd(), box }));
}

function paintShape(context: CanvasRenderingContext2D, shape: SVGGraphicsElement, style: CSSStyleDeclaration): void {
  const matrix = shape.getScreenCTM();
  if (!matrix) return;
  // From the shape's own units to the screen; the canvas is moved so that the screen's units fit.
  context.transform(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f);
  if (shape instanceof SVGTextElement) return paintLabel(context, shape, style);
  const path = pathOf(shape);
  if (!path) return;
  const alpha = context.globalAlpha;
  if (style.fill !== "none") {
    context.globalAlpha = alpha * Number(style.fillOpacity);
    context.fillStyle = style.fill;
    context.fill(path);
  }
  if (style.stroke !== "none") {
    context.globalAlpha = alpha * Number(style.strokeOpacity);
    context.strokeStyle = style.stroke;
    context.lineWidth = Number.parseFloat(style.strokeWidth);
    context.lineCap = "round";
    context.setLineDash(style.strokeDasharray === "none" ? [] : style.strokeDasharray.split(/[ ,]+/).map(Number.parseFloat));
    context.stroke(path);
  }
}

function pathOf(shape: SVGGraphicsElement): Path2D | undefined {
  const number = (name: string) => Number(shape.getAttribute(name) ?? 0);
  const path = new Path2D();
  if (shape instanceof SVGPathElement) return new Path2D(shape.getAttribute("d") ?? "");
  if (shape instanceof SVGLineElement) {
    path.moveTo(number("x1"), number("y1"));
    path.lineTo(number("x2"), number("y2"));
  } else if (shape instanceof SVGRectElement) path.rect(number("x"), number("y"), number("width"), number("height"));
  else if (shape instanceof SVGCircleElement) path.arc(number("cx"), number("cy"), number("r"), 0, 2 * Math.PI);
  else return undefined;
  return path;
}

function paintLabel(context: CanvasRenderingContext2D, label: SVGTextElement, style: CSSStyleDeclaration): void {
  context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.fill;
  context.textAlign = style.textAnchor === "middle" ? "center" : style.textAnchor === "end" ? "right" : "left";
  context.fillText(label.textContent ?? "", Number(label.getAttribute("x") ?? 0), Number(label.getAttribute("y") ?? 0));
}
