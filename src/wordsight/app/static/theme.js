// Runs before the page is painted, so that a chosen theme does not flash the other one first.
try {
  const chosen = localStorage.getItem("wordsight-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // storage may be switched off: the page then follows the system
}
