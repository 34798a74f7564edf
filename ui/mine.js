// My drawings: one's own, and withdrawing them; drawings.js, which comes next in the same function, shows them.
// Runs after common.js, looking.js and hub.js; `server` holds the Python functions of ui/mine.py.

const MAX_WITHDRAWN = 1000; // ui/game.py
const chosen = new Set(); // ids
let hub = null;

const asked = () => ({ token });

function arrived(page) {
  hub = page.hub;
  sayWhatIsGone();
  if (!page.drawings) return;
  const where = page.account === null ? "in this browser" : `as ${page.account}, and in this browser before you signed in`;
  const more = page.account === null && page.sign_in ? " What you drew while signed in shows when you sign in." : "";
  $(".whose").textContent = `What you submitted ${where}, whether it fooled the model or not. Nobody else sees that these are yours.${more}`;
}

function counted(count) {
  for (const id of chosen) if (!drawings.has(id)) chosen.delete(id);
  $(".none").hidden = count > 0 || version === null;
  $(".filters").hidden = count === 0;
  showChosen();
}

function showChosen() {
  const button = $(".withdraw-chosen");
  button.disabled = chosen.size === 0;
  button.textContent = chosen.size ? `Withdraw ${chosen.size} chosen` : "Withdraw chosen";
}

// -- what is said of a drawing -------------------------------------------------------------------------------
const fooled = (d) => d.label !== d.prediction;
const inWords = (d) => `meant ${d.label}, seen as ${d.prediction}`;
const title = (d) => `${d.label} → ${d.prediction}`;

function rows(d) {
  const more = d.state === "to be judged" && d.lacking ? ` (${d.lacking} more)` : "";
  return {
    meant: d.label,
    "it saw": `${d.prediction} (${percent(d.share)})`,
    state: d.state + (d.state === "corrected" ? ` to ${d.judged_label}` : more),
    round: d.round,
    weights: d.weights_id.slice(0, 8),
    drawn: clock(d.created_at),
  };
}

function decorate(item, d) {
  item.classList.toggle("fooled", fooled(d));
  item.classList.toggle("off", d.state === "taken back" || d.state === "hidden");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: chosen.has(d.id) });
  box.setAttribute("aria-label", `Choose: ${inWords(d)}, ${d.state}`);
  box.addEventListener("change", () => {
    if (!box.checked) chosen.delete(d.id);
    else if (chosen.size < MAX_WITHDRAWN) chosen.add(d.id);
    else box.checked = false;
    showChosen();
  });
  const label = document.createElement("label");
  label.append(box);
  item.append(label);
}

function opened() {}

// -- withdrawing ---------------------------------------------------------------------------------------------
const sure = $("dialog.sure");
let deleting = null; // what the person is asked about: ids, or null for all

function askWhether(ids) {
  deleting = ids;
  const one = ids?.length === 1;
  const which = ids === null ? "all of your drawings" : one ? "this drawing" : `these ${ids.length} drawings`;
  $("#sure-title").textContent = `Withdraw ${which}?`;
  const them = one ? "It is" : "They are";
  const tries = ids === null ? "; so is what you tried and never submitted" : "";
  $(".here").textContent = `${them} really deleted here, at once, with what others judged of ${one ? "it" : "them"}${tries}.`;
  $(".there").hidden = hub === null;
  if (hub) $(".there").textContent = `${them} deleted within minutes from the dataset ${hub.repository} on the Hub, history included.`;
  sure.querySelector(".told").textContent = "";
  sure.querySelector(".keep").textContent = one ? "Keep it" : "Keep them";
  sure.querySelector(".yes").textContent = ids === null ? "Withdraw all" : one ? "Withdraw it" : `Withdraw ${ids.length}`;
  sure.showModal();
  sure.querySelector(".keep").focus();
}

async function withdraw() {
  const ids = deleting;
  const button = sure.querySelector(".yes");
  button.disabled = true;
  let result;
  try {
    result = await call("withdraw", ids === null ? { token, all: true } : { token, attempt_ids: ids });
  } catch {
    result = { error: `${UNREACHABLE}, so they may not be deleted. Try again.` };
  }
  button.disabled = false;
  if (result.error) {
    sure.querySelector(".told").textContent = result.error;
    return refresh();
  }
  sure.close();
  dialog.close();
  chosen.clear();
  if (hub) kept.set("hoodwink-withdrawn-at", result.withdrawn_at);
  $(".said").textContent = `${result.deleted} drawing${result.deleted === 1 ? "" : "s"} of yours deleted.`;
  $(".said").hidden = false;
  startOver();
  $("h2").focus({ preventScroll: true }); // what had the focus is gone
}

// While the Hub may still hold what was withdrawn in this browser.
function sayWhatIsGone() {
  const at = kept.get("hoodwink-withdrawn-at");
  const going = Boolean(hub && at && !isGone(hub, at));
  if (at && hub && !going) kept.set("hoodwink-withdrawn-at", "");
  const problem = going && hub.problem ? ` The Hub: ${hub.problem}. It is tried again by itself.` : "";
  const text = going ? `What you withdrew at ${clock(at)} is deleted here, and is being deleted on the Hub.${problem}` : "";
  if ($(".gone").textContent !== text) $(".gone").textContent = text;
  $(".gone").hidden = !going;
}

$(".withdraw-all").addEventListener("click", () => askWhether(null));
$(".withdraw-chosen").addEventListener("click", () => askWhether([...chosen]));
$(".withdraw-one").addEventListener("click", () => askWhether([current.id]));
sure.querySelector(".yes").addEventListener("click", withdraw);
sure.querySelector(".keep").addEventListener("click", () => sure.close());
$(".filters").addEventListener("submit", (event) => event.preventDefault());
$(".to-draw").addEventListener("click", () => openTab("Draw"));
