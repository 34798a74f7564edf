// The gallery: filters, and hiding for maintainers; drawings.js, which comes next in the same function, does the rest.
// Runs after common.js and looking.js; `server` holds the Python functions of ui/gallery.py.

const filters = $(".filters");
const numberOrAll = (name) => (filters.elements[name].value === "" ? null : Number(filters.elements[name].value));

function asked() {
  return { label: numberOrAll("label"), round: numberOrAll("round"), state: filters.elements.state.value || null };
}

function arrived(page) {
  const select = filters.elements.round;
  for (let number = select.options.length; number <= page.round; number++)
    select.options[0].after(Object.assign(document.createElement("option"), { value: number, textContent: number }));
}

function counted(count) {
  const filtered = Object.values(asked()).some((value) => value !== null);
  $(".none").hidden = count > 0;
  $(".gallery").hidden = !filtered && count === 0 && $(".hidden-one").hidden;
}

filters.addEventListener("change", () => startOver());
filters.addEventListener("submit", (event) => event.preventDefault());

// Others are still to read it: what was meant and seen is not told.
const isBlind = (d) => d.label === null;
const inWords = (d) => (isBlind(d) ? "to be judged" : `meant ${d.label}, seen as ${d.prediction}`);

function title(d, length) {
  if (isBlind(d)) return length === "long" ? "To be judged" : "?";
  return `${d.label} → ${d.prediction}`;
}

function rows(d) {
  const judged = d.state === "corrected" ? ` to ${d.judged_label}` : "";
  return {
    ...(isBlind(d) ? {} : { meant: d.label, "it saw": `${d.prediction} (${percent(d.share)})` }),
    state: d.state + judged,
    round: d.round,
    weights: d.weights_id.slice(0, 8),
    drawn: `${d.created_at.slice(0, 16).replace("T", " ")} UTC`,
  };
}

function decorate() {}

function opened() {
  $(".hide").hidden = !maintainerToken() && !window.hoodwinkPerson?.maintainer;
}

// -- hiding, for maintainers ---------------------------------------------------------------------------------
let hidden = null; // the drawing hidden last, and what it stood before

function maintainerToken() {
  try { return sessionStorage.getItem("hoodwink-maintainer"); } catch { return null; }
}

async function hide(drawing, yes) {
  try {
    return await call("hide", { token: maintainerToken(), attempt_id: drawing.id, hidden: yes });
  } catch {
    return { error: `${UNREACHABLE}; nothing was changed. Try again.` };
  }
}

$(".hide").addEventListener("click", async () => {
  const drawing = current;
  const result = await hide(drawing, true);
  if (result.error) return ($(".told").textContent = result.error);
  hidden = { ...drawing, before: drawing.item.nextSibling };
  if (drawings.has(drawing.id)) forget(drawing.id);
  version = null;
  $(".hidden-one span").textContent = `Hidden: ${inWords(drawing)}.`;
  $(".hidden-one").hidden = false;
  dialog.close();
  $(".hidden-one .undo").focus({ preventScroll: true });
  showCount();
});

$(".undo").addEventListener("click", async () => {
  const result = await hide(hidden, false);
  if (result.error) return tell(result.error);
  $(".hidden-one").hidden = true;
  grid.insertBefore(itemFor(hidden), hidden.before?.isConnected ? hidden.before : null);
  showCount();
});
