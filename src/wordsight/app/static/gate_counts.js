// What a threshold does, worked out in the page: the slider asks the server nothing.

/** Prepare the server's answer for counting. */
export function prepare(gate, classes) {
  const n = gate.score.length, k = classes.length;
  const isUnseen = Uint8Array.from(classes, (one) => (one.kind === "unseen" ? 1 : 0));
  const anyUnseen = isUnseen.includes(1);
  const sorted = Float64Array.from(gate.score).sort();
  const perClass = new Int32Array(k);
  for (const truth of gate.truth) if (truth >= 0) perClass[truth] += 1;
  return {
    n, k, isUnseen, sorted, perClass,
    columns: anyUnseen ? k : k + 1,  // without an unseen class, novel is a column of its own
    score: Float64Array.from(gate.score),
    seen: Int32Array.from(gate.seen_guess),
    unseen: Int32Array.from(gate.unseen_guess, (guess) => (guess < 0 ? k : guess)),
    truth: Int32Array.from(gate.truth),
  };
}

/** Counts and accuracies with everything above `threshold` called novel. */
export function countAt(table, threshold) {
  const { n, k, columns, score, seen, unseen, truth, isUnseen, perClass } = table;
  const confusion = new Int32Array(k * columns);
  let novel = 0, seenNovel = 0, unseenNovel = 0, nSeen = 0, nUnseen = 0;
  for (let i = 0; i < n; i++) {
    const isNovel = score[i] > threshold;
    novel += isNovel;
    const t = truth[i];
    if (t < 0) continue;
    confusion[t * columns + Math.min(columns - 1, isNovel ? unseen[i] : seen[i])] += 1;
    if (isUnseen[t]) {
      nUnseen += 1;
      unseenNovel += isNovel;
    } else {
      nSeen += 1;
      seenNovel += isNovel;
    }
  }
  const mean = (kind) => {
    let sum = 0, used = 0;
    for (let c = 0; c < k; c++) {
      if (isUnseen[c] !== kind || !perClass[c]) continue;
      sum += confusion[c * columns + c] / perClass[c];
      used += 1;
    }
    return used ? sum / used : null;
  };
  const onSeen = mean(0), onUnseen = mean(1);
  return { confusion, novel, seenNovel, unseenNovel, nSeen, nUnseen, onSeen, onUnseen, harmonic: harmonic(onSeen, onUnseen) };
}

export function harmonic(a, b) {
  if (a === null || b === null) return null;
  return a + b > 0 ? (2 * a * b) / (a + b) : 0;
}

/** The range that the slider covers: all but the farthest scores, and every mark. */
export function range(table, marks) {
  const { sorted } = table;
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
  const low = Math.min(at(0.003), ...marks), high = Math.max(at(0.997), ...marks);
  const room = (high - low || 1) * 0.03;
  return [low - room, high + room];
}

/** Shares of a kind of image by score; what lies beyond the range is in the outermost bins. */
export function histogram(table, [low, high], bins, accept) {
  const counts = new Float64Array(bins);
  let n = 0;
  for (let i = 0; i < table.n; i++) {
    if (!accept(table.truth[i])) continue;
    const bin = Math.floor(((table.score[i] - low) / (high - low)) * bins);
    counts[Math.max(0, Math.min(bins - 1, bin))] += 1;
    n += 1;
  }
  return { shares: n ? counts.map((c) => c / n) : counts, n };
}
