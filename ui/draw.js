// The game around the pen: live prediction, submitting, what happened, how the round goes.
// Runs after sketchpad.js in the same function; `server` holds the Python functions of ui/draw.py.

const board = $(".board");
const percent = (share) => (share >= 0.9995 || share < 0.0005 ? `${Math.round(share * 100)} %` : `${(share * 100).toFixed(share >= 0.1 ? 0 : 1)} %`);

let tryId = newId();
let lastAttempt = null;
let streak = 0;
let tries = 0; // drawings begun since the model was last fooled
let counted = false; // is the drawing on the canvas one of them?

const LOOK = new URL(`${new URL(window.gradio_config?.root || location.href).pathname.replace(/\/$/, "")}/gradio_api/look`, location.origin);

// -- live prediction: one call in flight, then the newest drawing ----------------------------------------
let asking = false;
let waiting = false;

// A plain route: it is asked with every move of the pen.
async function look(data) {
  const response = await fetch(LOOK, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(data),
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
  });
  return response.json();
}

async function ask() {
  if (pad.isEmpty) return;
  waiting = true;
  if (asking) return;
  asking = true;
  while (waiting && !pad.isEmpty) {
    waiting = false;
    const asked = tryId;
    const points = pad.points;
    let answer;
    try {
      answer = await look({ token, try_id: asked, strokes: pad.strokes });
    } catch {
      answer = { error: `${UNREACHABLE}. Your drawing stays here; it is asked again as you draw.` };
    }
    if (asked !== tryId || pad.isEmpty) continue; // cleared meanwhile
    if (answer.error) say(answer.error, "problem");
    else show(answer, points);
  }
  asking = false;
}

function show(answer, points) {
  if (answer.image) showImage($("#seen"), answer.image);
  if (answer.prediction === undefined) return; // hidden until submission
  const best = answer.prediction;
  $("#prediction .digit").textContent = best;
  $("#prediction .percent").textContent = percent(answer.probabilities[best]);
  element.querySelectorAll(".bars li").forEach((bar, digit) => {
    bar.style.setProperty("--share", answer.probabilities[digit]);
    bar.classList.toggle("best", digit === best);
    bar.querySelector(".value").textContent = percent(answer.probabilities[digit]);
  });
  // For whoever looks closely: which weights answered, and for how much of the drawing.
  $("#prediction").dataset.weightsId = answer.weights_id;
  $("#prediction").dataset.points = points;
  explain.follow();
}

function showNothing() {
  explain.forget();
  delete $("#prediction").dataset.points;
  $("#prediction .digit").textContent = "–";
  $("#prediction .percent").textContent = "";
  element.querySelectorAll(".bars li").forEach((bar) => {
    bar.style.setProperty("--share", 0);
    bar.classList.remove("best");
    bar.querySelector(".value").textContent = "";
  });
  const seen = $("#seen");
  seen.getContext("2d").clearRect(0, 0, 28, 28);
}

function showImage(target, base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const image = new ImageData(28, 28);
  bytes.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  target.getContext("2d").putImageData(image, 0, 0);
}

pad.onchange = () => {
  $("#undo").disabled = $("#clear").disabled = pad.isEmpty;
  board.classList.toggle("empty", pad.isEmpty);
  if (!pad.isEmpty) {
    if (!counted) tries += 1;
    counted = true;
    return ask();
  }
  // A drawing that was cleared, or undone to nothing, was a try of its own; what comes next is another.
  tryId = newId();
  counted = false;
  showNothing();
};

// -- submitting ------------------------------------------------------------------------------------------
let submitting = false;
let submittedAt = -Infinity;

async function submit(label) {
  if (submitting) return;
  if (pad.isEmpty && performance.now() - submittedAt < 600) return; // the second half of a double tap
  if (pad.isEmpty) return say("Draw a digit first, then say which one you meant.", "hint");
  submitting = pad.locked = true;
  board.classList.add("busy");
  let result;
  try {
    result = await call("submit", { token, try_id: tryId, strokes: pad.strokes, label });
  } catch {
    result = { error: `${UNREACHABLE}, so this drawing may not be saved. Tap the digit again: it counts once.` };
  }
  submitting = pad.locked = false;
  board.classList.remove("busy");
  if (result.error) return say(result.error, "problem");
  submittedAt = performance.now();
  lastAttempt = result;
  streak = result.model_wrong ? streak + 1 : 0;
  if (result.model_wrong) cheer();
  kept.set("hoodwink-best", Math.max(streak, Number(kept.get("hoodwink-best") ?? 0)));
  sayOutcome(result, hitTarget(result));
  if (result.model_wrong) tries = 0;
  showScore(result.score);
  showProgress(result);
  pad.clear();
}

// -- a target now and then ---------------------------------------------------------------------------------
const TARGET_EVERY = 4; // attempts without one
const TARGET_LASTS = 6; // attempts
let target = null;
let withoutTarget = 1;

// Was this the target? Moves on to the next one when it is time.
function hitTarget(result) {
  const hit = target !== null && result.label === target.label && result.prediction === target.prediction;
  if (hit) setTarget(null);
  else if (target && ++target.age >= TARGET_LASTS) setTarget(null);
  else if (!target && ++withoutTarget >= TARGET_EVERY && result.score) setTarget({ ...result.score.target, age: 0 });
  return hit;
}

function setTarget(next) {
  if (target) $(`#digit-${target.label}`).classList.remove("wanted");
  target = next;
  withoutTarget = 0;
  board.classList.toggle("targeted", Boolean(next));
  $("#target").hidden = !next;
  if (!next) return;
  $("#target .what").textContent = `Target: draw ${named(next.label)} it takes for ${named(next.prediction)}`;
  $(`#digit-${next.label}`).classList.add("wanted");
}

const named = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;
$("#skip-target").addEventListener("click", () => {
  setTarget(null);
  canvas.focus({ preventScroll: true });
});

// Sparks from the canvas when the model is fooled.
function cheer() {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const sky = $("#cheer");
  sky.replaceChildren();
  for (let i = 0; i < 26; i++) {
    const spark = document.createElement("i");
    const angle = (i / 26) * 2 * Math.PI;
    const reach = 90 + 110 * Math.random();
    spark.style.setProperty("--x", `${Math.cos(angle) * reach}px`);
    spark.style.setProperty("--y", `${Math.sin(angle) * reach - 30}px`);
    spark.style.setProperty("--turn", `${Math.round(Math.random() * 720 - 360)}deg`);
    spark.style.setProperty("--hue", `${(i * 47) % 360}`);
    sky.append(spark);
  }
  setTimeout(() => sky.replaceChildren(), 1000);
}

function sayOutcome(result, hit) {
  const saw = `${named(result.prediction)} (${percent(result.probabilities[result.prediction])})`;
  if (!result.model_wrong) {
    const close = result.probabilities[result.prediction] < 0.8;
    return say(`Not fooled: it saw ${saw}. ${close ? "Close, though!" : "Try something stranger."}`, "not-fooled");
  }
  const after = tries > 1 ? `, on try ${tries}` : "";
  say(`You fooled it! ${hit ? "Bullseye: it" : "It"} saw ${saw}${after}.${points(result)}`, "fooled");
}

function points(result) {
  if (result.is_new === false) return " Like an earlier one: no point.";
  if (result.is_new && result.score?.waiting) return " A point once others read it as you meant it.";
  return result.is_new ? " +1 point." : "";
}

// "Not what I meant" stays until the next attempt, whatever else there is to say.
function say(text, kind) {
  const outcome = $("#outcome");
  outcome.className = kind;
  $("#outcome .text").textContent = text;
  $("#retract").hidden = $("#shot").hidden = !lastAttempt;
  if (lastAttempt) showImage($("#shot"), lastAttempt.image);
  // Restart the little jump of the message.
  outcome.style.animation = "none";
  void outcome.offsetWidth;
  outcome.style.animation = "";
}

$("#retract").addEventListener("click", async () => {
  const taken = lastAttempt;
  if (!taken) return;
  lastAttempt = null; // a second click, or the next attempt, is another matter
  let result;
  try {
    result = await call("retract", { token, attempt_id: taken.attempt_id });
  } catch {
    lastAttempt ??= taken;
    return say(`${UNREACHABLE}; it was not taken back. Try again.`, "problem");
  }
  if (result.error) return say(result.error, "problem");
  if (taken.model_wrong) streak = Math.max(0, streak - 1);
  say("Taken back: that drawing no longer counts.", "hint");
  canvas.focus({ preventScroll: true }); // the button that had it is gone
  showScore(result.score);
  showProgress(result);
});

function showScore(score) {
  const best = Number(kept.get("hoodwink-best") ?? 0);
  const told = best ? [`streak ${streak} · best ${best}`] : [];
  if (score?.rank) told.push(`${score.points} point${score.points === 1 ? "" : "s"} · rank ${score.rank} of ${score.players}`);
  else if (score?.waiting) told.push(`${score.waiting} to be judged`);
  $("#streak").replaceChildren(...told.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
}

// -- the round -------------------------------------------------------------------------------------------
let promotion = null;
let decided = null; // the round of the newest decision
let news = "";
let judgedBefore = "";

function showProgress(now) {
  const box = document.getElementById("round-status");
  if (!box) return;
  const fromStatus = now.training !== undefined; // else from an attempt, which knows the counts only
  if (!fromStatus && box.classList.contains("training")) return;
  const training = Boolean(now.training);
  const share = training ? now.progress : Math.min(now.ready / now.threshold, 1);
  box.querySelector("progress").value = share;
  box.querySelector(".count").textContent = training ? `learning ${Math.round(share * 100)} %` : `${now.ready} of ${now.threshold}`;
  if (fromStatus) box.querySelector(".waiting").textContent = now.quorum && now.pending ? `· ${now.pending} to judge` : "";
  if (fromStatus) box.querySelector(".round").textContent = `round ${now.round}`;
  box.classList.toggle("training", training);
  box.title = training
    ? "A new model is learning from the drawings; keep drawing."
    : `${now.ready} of the ${now.threshold} ${now.quorum ? "verified " : ""}fooling drawings that start the next retraining`;
}

let refreshing = false;

async function refresh() {
  if (refreshing) return;
  refreshing = true;
  let now;
  try {
    now = await call("status", {});
  } catch {
    return;
  } finally {
    refreshing = false;
  }
  if (now.error) return;
  if ($("#outcome .text").textContent.startsWith(UNREACHABLE)) say(pad.isEmpty ? "The server is back." : "The server is back; your drawing is still here.", "hint");
  showProgress(now);
  // Others judged, or a round was closed: one's own points may have moved.
  const judged = `${now.round} ${now.verified} ${now.pending}`;
  if (judged !== judgedBefore) call("score", { token }).then((score) => !score.error && showScore(score), () => {});
  judgedBefore = judged;
  const last = now.last_decision;
  const swapped = promotion !== null && now.promotion !== promotion;
  if (swapped) ask(); // what is on the canvas, as the new model sees it
  if (swapped) announce(`A new model is playing now${learnt(last)}. Can you still fool it?`);
  if (decided !== null && last && last.round !== decided && last.decision === "refused")
    announce(`The new model was not good enough: ${last.reason}. The old one plays on.`);
  promotion = now.promotion;
  decided = last?.round ?? 0;
  const problem = now.problem ? `Retraining: ${now.problem}` : "";
  if (problem !== news) $("#problem").textContent = news = problem;
  showHub(now.hub);
  $("#weights").textContent = `round ${now.round} · weights ${now.weights_id.slice(0, 8)}`;
}

function showHub(hub) {
  $("#hub").hidden = hub === null;
  if (hub === null) return;
  $("#hub a").href = hubAddress(hub);
  $("#hub a").textContent = hubInWords(hub);
  $("#hub a").title = `What is recorded here (drawings, tries, votes) is published in ${hub.repository}, every few minutes.`;
  $("#hub span").textContent = hub.problem ? "· kept here, and sent when the Hub can be used again" : "";
  $("#hub span").title = hub.problem; // in full on the Maintain tab
}

function learnt(last) {
  if (!last || last.decision === "rolled back") return last ? ": earlier weights are back" : "";
  return last.training_drawings ? `: it learned from ${last.training_drawings} fooling drawing${last.training_drawings === 1 ? "" : "s"}` : "";
}

function announce(text) {
  const banner = $("#news");
  banner.textContent = text;
  banner.classList.add("on");
  setTimeout(() => banner.classList.remove("on"), 9000);
}

// -- buttons and keys ------------------------------------------------------------------------------------
$("#undo").addEventListener("click", () => pad.undo());
$("#clear").addEventListener("click", () => pad.clear());
$("#withdraw").addEventListener("click", () => openTab("Mine"));
for (let digit = 0; digit < 10; digit++) $(`#digit-${digit}`).addEventListener("click", () => submit(digit));

// A maintainer's link. The token comes in the address's fragment, which browsers send to no server, and is taken off it at
// once. Here, because the Maintain tab is not made before it is opened.
if (location.hash.startsWith("#maintainer=")) {
  try {
    sessionStorage.setItem("hoodwink-maintainer", decodeURIComponent(location.hash.slice("#maintainer=".length)));
  } catch { /* then it is to be typed */ }
  history.replaceState(null, "", location.pathname + location.search);
  openTab("Maintain");
}
// A maintainer's link pasted into the open page: read it as at the start.
window.addEventListener("hashchange", () => location.hash.startsWith("#maintainer=") && location.reload(), listening);
document.addEventListener(
  "keydown",
  (event) => {
    if (canvas.offsetParent === null || isTyping(event.target) || event.altKey || event.repeat) return;
    const withControl = event.ctrlKey || event.metaKey;
    if (withControl && event.key.toLowerCase() === "z") pad.undo();
    else if (withControl) return;
    else if (/^[0-9]$/.test(event.key)) submit(Number(event.key));
    else if (event.key.toLowerCase() === "e") explain.toggle();
    else if (event.key === "Backspace") pad.undo();
    else if (event.key === "Escape" || event.key === "Delete") pad.clear();
    else return;
    event.preventDefault();
  },
  listening,
);

explain.start();
showNothing();
showScore(null);
pad.changed();
refresh();
clearInterval(window.hoodwinkRefresh);
window.hoodwinkRefresh = setInterval(() => { if (!document.hidden) refresh(); }, 1000);
