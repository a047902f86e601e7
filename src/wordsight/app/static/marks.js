// What stands on the map above the points: words and their names, rings, the lasso.

import { placeLabels } from "./labels.js";
import { token, trace } from "./palette.js";

/** Draw the words of classes, and their names where there is room. */
export function drawWords(context, scatter) {
  const ink = token("--ink"), ground = token("--ground");
  const family = getComputedStyle(document.body).fontFamily;
  const unseenFirst = [...scatter.words].sort((a, b) => (b.kind === "unseen") - (a.kind === "unseen"));
  const marks = [];
  for (const word of unseenFirst) {
    const [x, y] = scatter.toScreen(word.ux, word.uy);
    if (x < -20 || y < -20 || x > scatter.width + 20 || y > scatter.height + 20) continue;
    const unseen = word.kind === "unseen";
    trace(context, unseen ? "star" : "diamond", x, y, unseen ? 9 : 6);
    context.fillStyle = word.fill;
    context.strokeStyle = ground;
    context.lineWidth = 4;
    context.stroke();
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
    context.font = `${unseen ? 700 : 500} 12.5px ${family}`;
    marks.push({ x, y, width: context.measureText(word.name).width + 10, height: 19, key: word.name, font: context.font });
  }
  context.textBaseline = "middle";
  context.textAlign = "center";
  for (const { x, y, width, height, mark } of placeLabels(marks, scatter, scatter.labelPlaces, scatter.rings())) {
    context.fillStyle = token("--label");
    context.beginPath();
    context.roundRect(x - width / 2, y - height / 2, width, height, 4);
    context.fill();
    context.fillStyle = ink;
    context.font = mark.font;
    context.fillText(mark.key, x, y + 0.5);
  }
}

/** Ring a place: with a cross it is the picture's, without it is the image in focus. */
export function drawRing(context, x, y, cross) {
  for (const [colour, width] of [[token("--ground"), 5], [token("--ink"), 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, cross ? 11 : 8, 0, 2 * Math.PI);
    if (cross) {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + dx * 5, y + dy * 5);
        context.lineTo(x + dx * 17, y + dy * 17);
      }
    }
    context.stroke();
  }
}

export function drawLasso(context, corners) {
  context.beginPath();
  corners.forEach(([x, y], k) => context[k ? "lineTo" : "moveTo"](x, y));
  context.closePath();
  context.fillStyle = token("--lasso");
  context.fill();
  context.strokeStyle = token("--accent");
  context.setLineDash([5, 4]);
  context.lineWidth = 1.5;
  context.stroke();
  context.setLineDash([]);
}
