// Somebody else's drawing, read blind: one at a time, its strokes and nothing that was said of it.
// Runs after common.js in the same function; `server` holds the Python functions of ui/judge.py.

const NOT_A_DIGIT = "not a digit";
const LOOK_AGAIN_MS = 4000; // while nothing waits
const MAX_SKIPPED = 200; // ui/game.py
const UNREAD_MS = 400; // a drawing shown for less was not read: the second half of a double tap

window.hoodwinkJudging?.abort(); // a re-rendered component must not listen twice
window.hoodwinkJudging = new AbortController();
const listening = { signal: window.hoodwinkJudging.signal };

const reader = $(".reader");
const canvas = $("canvas");
const drawings = (count) => `${count} drawing${count === 1 ? "" : "s"}`;
let drawing = null;
let shownAt = 0;
let skipped = [];
let read = 0;

// -- one drawing after the other -------------------------------------------------------------------------
let asking = false;

async function next() {
  if (asking) return;
  asking = true;
  let answer;
  try {
    answer = await call("next_drawing", { token, skipped });
  } catch {
    answer = { error: `${UNREACHABLE}. It is asked again by itself.` };
  }
  asking = false;
  const problem = answer.error ?? "";
  if ($("#judge-problem").textContent !== problem) $("#judge-problem").textContent = problem;
  if (!problem) show(answer);
}

function show(answer) {
  const uninvited = Boolean(answer.sign_in);
  reader.hidden = answer.quorum === 0 || uninvited;
  $("#judge-sign-in").hidden = !uninvited;
  $("#judge-sign-in .waiting").textContent = uninvited && answer.waiting ? `${drawings(answer.waiting)} ${answer.waiting === 1 ? "waits" : "wait"} for readers.` : "";
  $("#judge-off").hidden = answer.quorum !== 0;
  setDrawing(answer.attempt_id ? answer : null);
  // Only now, not between two drawings: a disabled button loses the focus.
  reader.querySelectorAll(".digits button, .others button, #judge-replay").forEach((button) => (button.disabled = !drawing));
  const verb = answer.waiting === 1 ? "waits" : "wait";
  $("#judge-waiting").textContent = drawing ? `${drawings(answer.waiting)} ${verb} for a reader` : "";
  if (!drawing) sayEmpty(answer.waiting);
}

function sayEmpty(waiting) {
  const others = waiting - skipped.length;
  const text = others > 0
    ? `Nothing for you to read right now. ${drawings(others)} ${others === 1 ? "waits" : "wait"} for other readers.`
    : "Nothing to read right now. A drawing turns up here as soon as somebody fools the model.";
  if ($("#judge-empty").textContent !== text) $("#judge-empty").textContent = text;
  $("#judge-again").hidden = skipped.length === 0;
  $("#judge-again").textContent = skipped.length === 1 ? "Show the skipped one" : `Show the ${skipped.length} skipped ones`;
}

function setDrawing(now) {
  drawing = now;
  shownAt = performance.now();
  replayed = null;
  reader.classList.toggle("none", !now);
  canvas.dataset.attempt = now?.attempt_id ?? "";
  paint();
}

// -- reading it ------------------------------------------------------------------------------------------
let voting = false;

async function vote(reading) {
  if (!drawing || voting || performance.now() - shownAt < UNREAD_MS) return;
  voting = true;
  let result;
  try {
    result = await call("vote", { token, attempt_id: drawing.attempt_id, reading });
  } catch {
    voting = false;
    return say(`${UNREACHABLE}, so this may not be recorded. Say it again: it counts once.`, "problem");
  }
  voting = false;
  say(result.error ?? outcome(result), result.error ? "problem" : "");
  if (!result.error) $("#judge-read").textContent = `You have read ${drawings((read += 1))}.`;
  leave();
}

// What came of it, without what was meant or what the model saw.
function outcome({ state, lacking }) {
  if (state === "verified" || state === "corrected") return "Recorded. That settles it: this drawing counts.";
  if (state === "ambiguous") return "Recorded. That settles it: too unclear to count.";
  if (state === "rejected") return "Recorded. That settles it: this drawing does not count.";
  return lacking === 1 ? "Recorded. One more reader can settle it." : `Recorded. It takes at least ${lacking} more readers.`;
}

function skip() {
  if (!drawing || voting) return;
  skipped = [...skipped, drawing.attempt_id].slice(-MAX_SKIPPED);
  say("Left to others.", "");
  leave();
}

function leave() {
  setDrawing(null);
  $("#judge-empty").textContent = "";
  $("#judge-again").hidden = true;
  next();
}

function say(text, kind) {
  const line = $("#judge-outcome");
  line.className = kind;
  line.textContent = text;
  // Restart the little jump of the message.
  line.style.animation = "none";
  void line.offsetWidth;
  line.style.animation = "";
}

// -- the drawing, and how it came about ------------------------------------------------------------------
let replayed = null; // {times, began, ends} while it runs
let frame = 0;

function paint() {
  const now = performance.now();
  if (replayed && now >= replayed.began + replayed.ends) replayed = null;
  reader.classList.toggle("replaying", replayed !== null);
  if (!replayed) return inkOn(canvas, drawing?.strokes ?? []);
  const reached = (k, i) => replayed.began + replayed.times[k][i] <= now;
  inkOn(canvas, drawing.strokes.map((stroke, k) => stroke.filter((_, i) => reached(k, i))).filter((stroke) => stroke.length));
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(paint);
}

// When each point was drawn, in ms: as recorded, without the long pauses; in steps of whole strokes where motion is unwanted.
function replay() {
  if (!drawing) return;
  const stepwise = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let at = 0;
  let before = null;
  const times = drawing.strokes.map((stroke) =>
    stroke.map(([, , ms], i) => {
      const recorded = ms >= before && before !== null;
      if (stepwise) at += i === 0 ? 500 : 0;
      else at += recorded ? Math.min(ms - before, i === 0 ? 400 : 150) : i === 0 ? 250 : 12;
      before = ms ?? null;
      return at;
    }),
  );
  const slower = stepwise ? 1 : Math.min(1, 8000 / Math.max(at, 1)); // nobody waits longer than 8 s
  replayed = { times: times.map((stroke) => stroke.map((ms) => ms * slower)), began: performance.now(), ends: at * slower };
  paint();
}

$("#judge-sign-in button").addEventListener("click", () => window.hoodwinkSignIn("#judge"));

// -- buttons and keys ------------------------------------------------------------------------------------
for (let digit = 0; digit < 10; digit++) $(`#judge-${digit}`).addEventListener("click", () => vote(digit));
$("#judge-none").addEventListener("click", () => vote(NOT_A_DIGIT));
$("#judge-skip").addEventListener("click", skip);
$("#judge-replay").addEventListener("click", replay);
$("#judge-again").addEventListener("click", () => {
  skipped = [];
  next();
});

const isVisible = () => element.offsetParent !== null;
document.addEventListener(
  "keydown",
  (event) => {
    if (!isVisible() || isTyping(event.target) || event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
    const key = event.key.toLowerCase();
    if (/^[0-9]$/.test(key)) vote(Number(key));
    else if (key === "n" || key === "x") vote(NOT_A_DIGIT);
    else if (key === "s") skip();
    else if (key === "r") replay();
    else return;
    event.preventDefault();
  },
  listening,
);

// Asked only while somebody looks: when the tab opens, and every few seconds while it is empty.
const look = () => { if (isVisible() && !document.hidden && !drawing && !voting) next(); };
const opened = new IntersectionObserver(look);
const again = setInterval(look, LOOK_AGAIN_MS);
opened.observe(element);
listening.signal.addEventListener("abort", () => {
  opened.disconnect();
  clearInterval(again);
});
keepPainted(canvas, paint);
look();
