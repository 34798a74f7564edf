// Pages of drawings, and a larger view that replays the pen: what the gallery and My drawings share.
// Runs last in the same function. The file before it says what is shown, in functions: asked() for the fields of a
// request, arrived(page), counted(count), inWords(drawing), title(drawing), rows(drawing), decorate(item,
// drawing) and opened(drawing).

const grid = $(".drawings");
const drawings = new Map(); // id: what is known of it, and its item in the grid
let following = null; // where the next page begins
let version = null; // of the first page
let asking = 0; // something else was asked for so many times

const percent = (share) => `${(share * 100).toFixed(share >= 0.1 ? 0 : 1)} %`;

function tell(problem) {
  $(".problem").textContent = problem;
  $(".problem").hidden = problem === "";
}

// A page, or null if it is what is shown already, or no longer wanted, or could not be had (then the page says so).
async function ask(more) {
  const mine = asking;
  let page;
  try {
    page = await call("drawings", { ...asked(), ...more });
  } catch {
    page = { error: `${UNREACHABLE}; what stands here may be old.` };
  }
  if (mine !== asking) return null;
  tell(page.error ?? "");
  if (!page.error) arrived(page);
  return page.drawings ? page : null;
}

async function refresh() {
  const page = await ask({ version });
  if (!page) return;
  version = page.version;
  const last = page.drawings.at(-1)?.id;
  if (!drawings.has(last)) clear(); // as many new ones as fill a page
  // What stands among the first page's but is not of it any more was hidden, taken back or judged.
  const inPage = new Set(page.drawings.map((d) => d.id));
  for (const id of drawings.keys()) {
    const item = drawings.get(id).item;
    const behind = page.next !== null && drawings.get(last).item.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (!inPage.has(id) && !behind) forget(id);
  }
  page.drawings.forEach((drawing, place) => {
    const item = itemFor(drawing);
    if (grid.children[place] !== item) grid.insertBefore(item, grid.children[place] ?? null);
  });
  if (grid.children.length === page.drawings.length) following = page.next;
  showCount();
}

async function showMore() {
  const page = await ask({ before: following });
  if (!page) return;
  const first = page.drawings[0];
  for (const drawing of page.drawings) grid.append(itemFor(drawing));
  following = page.next;
  showCount();
  if (first) drawings.get(first.id).item.firstChild.focus({ preventScroll: true });
}

// The drawing's item in the grid, made anew if its state is another.
function itemFor(drawing) {
  const known = drawings.get(drawing.id);
  const item = known?.state === drawing.state ? known.item : itemOf(drawing);
  if (known && known.item !== item) known.item.replaceWith(item);
  drawings.set(drawing.id, { ...drawing, item });
  return item;
}

function forget(id) {
  drawings.get(id).item.remove();
  drawings.delete(id);
}

function clear() {
  for (const id of drawings.keys()) forget(id);
  following = null;
}

function showCount() {
  const count = grid.children.length;
  $(".shown").textContent = count ? `${count} drawing${count === 1 ? "" : "s"}${following === null ? "" : ", and more"}` : "";
  $(".more").hidden = following === null;
  counted(count);
}

// Something else is asked for: begin anew.
function startOver() {
  asking++;
  version = null;
  clear();
  refresh();
}

$(".more").addEventListener("click", showMore);

// -- one drawing, small --------------------------------------------------------------------------------------
function itemOf(drawing) {
  const item = document.createElement("li");
  item.dataset.id = drawing.id;
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Replay: ${inWords(drawing)}, round ${drawing.round}, ${drawing.state}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${UNITS} ${UNITS}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  // A line of no length draws its round cap: a dot.
  path.setAttribute("d", drawing.strokes.map((stroke) => `M${[...stroke, stroke.at(-1)].map(([x, y]) => `${x} ${y}`).join("L")}`).join(""));
  path.setAttribute("stroke-width", PEN_UNITS);
  svg.append(path);
  const line = (name, text) => Object.assign(document.createElement("span"), { className: name, textContent: text });
  const state = `state ${drawing.state.replaceAll(" ", "-")}`;
  button.append(svg, line("pair", title(drawing)), line("about", `round ${drawing.round}`), line(state, drawing.state));
  button.addEventListener("click", () => open(drawing.id));
  item.append(button);
  decorate(item, drawing);
  return item;
}

// -- one drawing, large, replayed ----------------------------------------------------------------------------
const dialog = $("dialog.large");
const replayed = $(".replay");
let current = null;
let drawn = []; // strokes so far
let frame = 0;

function open(id) {
  current = drawings.get(id);
  dialog.querySelector("h3").textContent = title(current, "long");
  replayed.setAttribute("aria-label", `A drawing: ${inWords(current)}`);
  const cell = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  dialog.querySelector("dl").replaceChildren(...Object.entries(rows(current)).flatMap(([name, value]) => [cell("dt", name), cell("dd", value)]));
  $(".told").textContent = "";
  opened(current);
  $(".earlier").disabled = !beside(-1);
  $(".later").disabled = !beside(1);
  if (!dialog.open) dialog.showModal();
  matchMedia("(prefers-reduced-motion: reduce)").matches ? showWhole() : replay();
}

function beside(step) {
  const ids = [...grid.children].map((item) => item.dataset.id);
  const place = ids.indexOf(current.id);
  return place < 0 ? null : drawings.get(ids[place + step]);
}

function show(strokes) {
  drawn = strokes;
  replayed.dataset.points = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  inkOn(replayed, drawn);
}

function showWhole() {
  cancelAnimationFrame(frame);
  show(current.strokes);
}

const MS_A_POINT = 12; // where the browser sent no times
const LONGEST_PAUSE_MS = 400;
const LONGEST_MS = 6000;

// When each point is drawn, in ms from the first.
function timesOf(strokes) {
  const times = [];
  let now = 0;
  let before = null;
  for (const point of strokes.flat()) {
    if (before) now += point.length > 2 && before.length > 2 ? Math.min(Math.max(point[2] - before[2], 0), LONGEST_PAUSE_MS) : MS_A_POINT;
    times.push(now);
    before = point;
  }
  const faster = Math.max(1, now / LONGEST_MS);
  return times.map((time) => time / faster);
}

function replay() {
  cancelAnimationFrame(frame);
  const { strokes } = current;
  const times = timesOf(strokes);
  const began = performance.now();
  const step = () => {
    const elapsed = performance.now() - began;
    let left = times.filter((time) => time <= elapsed).length;
    const whole = left === times.length;
    const part = [];
    for (const stroke of strokes) {
      if (left > 0) part.push(stroke.slice(0, left));
      left -= stroke.length;
    }
    show(part);
    if (!whole && dialog.open) frame = requestAnimationFrame(step);
  };
  step();
}

keepPainted(replayed, () => inkOn(replayed, drawn));
$(".again").addEventListener("click", replay);
$(".close").addEventListener("click", () => dialog.close());
$(".earlier").addEventListener("click", () => beside(-1) && open(beside(-1).id));
$(".later").addEventListener("click", () => beside(1) && open(beside(1).id));
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const other = step && beside(step);
  if (other) open(other.id);
});

showCount();
whileLookedAt(refresh, 4000);
