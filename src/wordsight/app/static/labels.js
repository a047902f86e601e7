// Where the names of words stand on the map, so that none covers another.

const GAP = 9;  // from the marker's middle to the label, in pixels

/** Offsets of a label's middle from its marker, the best place first. */
function places(width, height) {
  const across = width / 2 + GAP, up = height / 2 + GAP - 2;
  return [[across, 0], [-across, 0], [0, -up], [0, up], [across * 0.8, -up], [-across * 0.8, -up],
    [across * 0.8, up], [-across * 0.8, up]];
}

const meet = (a, b) =>
  Math.abs(a.x - b.x) * 2 < a.width + b.width && Math.abs(a.y - b.y) * 2 < a.height + b.height;

/**
 * Place labels greedily, in the order given; the place a label had is tried first, so that it does
 * not jump about while the map moves. What finds no free place is left out.
 *
 * @param marks [{ x, y, width, height, key }] screen positions of markers, sizes of labels
 * @param bounds { width, height } of the canvas
 * @param former Map of key to the index of the place it had; written to
 * @param obstacles [{ x, y, width, height }] what no label may cover
 * @returns [{ x, y, width, height, mark }] with the middle of each label
 */
export function placeLabels(marks, bounds, former, obstacles = []) {
  const markers = marks.map((mark) => ({ x: mark.x, y: mark.y, width: 11, height: 11, of: mark }));
  const taken = [...markers, ...obstacles];
  const labels = [];
  for (const mark of marks) {
    const options = places(mark.width, mark.height);
    const before = former.get(mark.key);
    const order = options.map((_, k) => k);
    if (before !== undefined) order.unshift(before);
    for (const k of order) {
      const box = { x: mark.x + options[k][0], y: mark.y + options[k][1], width: mark.width, height: mark.height };
      const inside = box.x - box.width / 2 > 2 && box.x + box.width / 2 < bounds.width - 2
        && box.y - box.height / 2 > 2 && box.y + box.height / 2 < bounds.height - 2;
      if (inside && !taken.some((other) => other.of !== mark && meet(box, other))) {
        taken.push({ ...box, of: null });
        labels.push({ ...box, mark });
        former.set(mark.key, k);
        break;
      }
    }
  }
  return labels;
}
