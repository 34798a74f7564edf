// The Stress test tab: asks for reports while it is looked at; a full one opens in a frame that may do nothing.
// Runs after common.js and looking.js in the same function; `server` holds the Python functions of ui/stress.py.

let version = null;
let asking = false;
const reports = $(".reports"), dialog = $("dialog"), frame = $("iframe");

function tell(problem) {
  $(".problem").textContent = problem;
  $(".problem").hidden = problem === "";
}

async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const now = await call("overview", { version });
    if (now.error) return tell(now.error);
    if (now.version !== version) fill(now);
    tell("");
  } catch {
    tell(`${UNREACHABLE}; what stands here may be old.`);
  } finally {
    asking = false;
  }
}

// What was opened or closed stays so, what had the focus keeps it.
function fill(now) {
  const was = Object.fromEntries([...reports.querySelectorAll("details")].map((one) => [one.dataset.key, one.open]));
  const focused = reports.contains(document.activeElement) ? document.activeElement : null;
  const at = focused?.closest("details")?.dataset.key, kind = focused?.tagName.toLowerCase();
  reports.innerHTML = now.html;
  for (const one of reports.querySelectorAll("details")) one.open = was[one.dataset.key] ?? one.open;
  if (at) reports.querySelector(`details[data-key="${at}"] ${kind}`)?.focus({ preventScroll: true });
  $(".hw-empty").hidden = now.html !== "";
  $(".none-yet").hidden = !now.missing;
  version = now.version;
}

reports.addEventListener("click", async (event) => {
  const button = event.target.closest("button.full");
  if (!button) return;
  button.disabled = true;
  let answer;
  try {
    answer = await call("full", { weights_id: button.dataset.report });
  } catch {
    answer = { error: `${UNREACHABLE}. Try again.` };
  }
  button.disabled = false;
  if (answer.error) return tell(answer.error);
  tell("");
  $("dialog h3").textContent = `Weights ${button.dataset.report.slice(0, 8)}`;
  frame.srcdoc = answer.html;
  dialog.showModal();
});

$("dialog .close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
dialog.addEventListener("close", () => frame.removeAttribute("srcdoc"));

whileLookedAt(refresh, 5000);
