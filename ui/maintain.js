// The maintainers' desk: start a retraining, go back to earlier weights. Opens with the token, or for a maintainer's account.
// Runs after common.js and looking.js in the same function; `server` holds the Python functions of ui/maintain.py.

const LOOK_EVERY_MS = 2000;
const field = $("#maintainer-token");
const closed = $(".hint").textContent;
let listed = null; // the promotion the list of earlier weights was made for: while it serves, somebody may be choosing from it

const session = {
  get: () => { try { return sessionStorage.getItem("hoodwink-maintainer") ?? ""; } catch { return ""; } },
  set: (value) => { try { sessionStorage.setItem("hoodwink-maintainer", value); } catch { /* it lasts as long as the page */ } },
};

field.value = session.get();

async function ask(name, more = {}) {
  const maintainer = field.value.trim();
  let answer;
  try {
    answer = await call(name, { maintainer, ...more });
  } catch {
    answer = { error: `${UNREACHABLE}. It is asked again by itself.` };
  }
  if (maintainer === field.value.trim()) return answer;
  return null; // another token was typed meanwhile
}

async function look() {
  const answer = await ask("desk");
  if (!answer) return;
  if (answer.open) return show(answer);
  const hint = answer.error ?? (field.value ? answer.refused : closed);
  if (!$(".desk").hidden && answer.error) return say(answer.error);
  $(".desk").hidden = true;
  $(".lock").hidden = false;
  if ($(".hint").textContent !== hint) $(".hint").textContent = hint;
}

function show(answer) {
  $(".lock").hidden = true;
  $(".desk").hidden = false;
  const paragraphs = answer.overview.map((text) => Object.assign(document.createElement("p"), { textContent: text }));
  if (answer.hub) {
    const link = Object.assign(document.createElement("a"), { href: answer.hub, textContent: answer.hub.split("/datasets/")[1], target: "_blank" });
    paragraphs.at(-1).append(" ", link);
  }
  const text = paragraphs.map((one) => one.textContent).join("");
  if ($(".overview").textContent !== text) $(".overview").replaceChildren(...paragraphs);
  if (answer.promotion !== listed) list(answer);
}

function list(answer) {
  listed = answer.promotion;
  $(".sure").hidden = true;
  $(".earlier").hidden = answer.earlier.length === 0;
  $(".choices").replaceChildren(...answer.earlier.map(({ weights_id: value, text }) => {
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "earlier-weights", value });
    const label = document.createElement("label");
    label.append(input, " ", text);
    return label;
  }));
}

const say = (problem) => ($(".problem").textContent = problem);

async function act(button, name, more) {
  button.disabled = true;
  say("");
  const answer = await ask(name, more);
  button.disabled = false;
  if (answer?.error) say(answer.error);
  else if (answer) show(answer);
}

field.addEventListener("input", () => {
  session.set(field.value.trim());
  look();
});
$(".now").addEventListener("click", (event) => act(event.target, "retrain"));
$(".choices").addEventListener("change", () => ($(".sure").hidden = false));
$(".no").addEventListener("click", () => {
  $(".sure").hidden = true;
  $(".choices input:checked").checked = false;
});
$(".yes").addEventListener("click", (event) => act(event.target, "rollback", { weights_id: $(".choices input:checked")?.value }));
whileLookedAt(look, LOOK_EVERY_MS);
