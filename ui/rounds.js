// The Rounds tab: asks for what changed while it is looked at, and replaces only the sections that did.
// Runs after common.js and looking.js in the same function; `server` holds the Python functions of ui/rounds.py.

const shown = {}; // section: its HTML
let version = null; // of what is shown completely
let asking = false;

// Replace a section if it is another; what was opened stays open, what had the focus keeps it.
function fill(name, html) {
  if (shown[name] === html) return;
  shown[name] = html;
  const section = $(`[data-section=${name}]`);
  const focused = section.contains(document.activeElement) ? document.activeElement.closest("details")?.dataset.key : null;
  const opened = [...section.querySelectorAll("details[open]")].map((details) => details.dataset.key);
  section.innerHTML = html;
  for (const details of section.querySelectorAll("details")) {
    details.open = opened.includes(details.dataset.key);
    if (focused && details.dataset.key === focused) details.querySelector("summary").focus({ preventScroll: true });
  }
  const block = element.querySelector(`[data-block=${name}]`);
  if (block) block.hidden = html === "";
}

function tell(problem) {
  $(".problem").textContent = problem;
  $(".problem").hidden = problem === "";
}

async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const now = await call("overview", { version });
    if (now.error) throw new Told(now.error);
    if (now.version !== version) {
      for (const [name, html] of Object.entries(now.sections)) fill(name, html);
      offerRounds(now.drawn, now.open);
      await Promise.all([showMatrix(), showConfusion()]);
      version = now.version; // only now: what failed is asked for again
    }
    tell("");
  } catch (error) {
    tell(error instanceof Told ? error.message : `${UNREACHABLE}; what stands here may be old.`);
  } finally {
    asking = false;
  }
}

class Told extends Error {} // the server's own sentence

async function ask(name, data) {
  const answer = await call(name, data);
  if (answer.error) throw new Told(answer.error);
  return answer.html;
}

const showMatrix = async () => fill("matrix", await ask("matrix", {}));

// -- the round whose confusion is shown --------------------------------------------------------------------
const ofRound = $(".of-round");

function offerRounds(drawn, open) {
  const chosen = ofRound.value;
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const numbers = drawn.toReversed();
  ofRound.replaceChildren(option("", "all"), ...numbers.map((n) => option(n, n === open ? `${n} (open)` : n)));
  ofRound.value = numbers.includes(Number(chosen)) ? chosen : "";
  $("[data-block=confusion]").hidden = drawn.length === 0;
}

async function showConfusion() {
  const asked = ofRound.value;
  const html = await ask("confusion", { round: asked === "" ? null : Number(asked) });
  if (asked === ofRound.value) fill("confusion", html);
}

ofRound.addEventListener("change", () => showConfusion().then(() => tell(""), (error) => tell(error instanceof Told ? error.message : `${UNREACHABLE}. Try again.`)));

for (const block of element.querySelectorAll("[data-block]")) block.hidden = true; // until there is something in it
whileLookedAt(refresh, 3000);
