// Who is signed in. Runs after common.js in the same function; `server` holds the Python function of ui/header.py.

const framed = window.self !== window.top;

// Back where one was. A frame's cookies may be kept from it: from there signing in opens a page of its own.
function address(path, back) {
  return `${path}?_target_url=${encodeURIComponent((framed ? "/" : location.pathname + location.search) + back)}`;
}
for (const [name, path] of Object.entries({ "#sign-in": "/login/huggingface", "#sign-out": "/logout" })) {
  $(name).href = address(path, "");
  if (framed) $(name).target = "_blank";
}

window.hoodwinkSignIn = (back) => {
  const to = address("/login/huggingface", back);
  if (framed) window.open(to, "_blank");
  else location.assign(to);
};

async function look() {
  let who;
  try {
    who = await call("who", {});
  } catch {
    return; // asked again when somebody comes back to the page
  }
  if (who.error) return;
  window.hoodwinkPerson = who;
  $("#sign-in").hidden = who.name !== null;
  $("#signed-in").hidden = who.name === null;
  $("#account").dataset.known = true;
  if (who.name === null) return;
  const summary = $("#signed-in summary");
  summary.setAttribute("aria-label", `Signed in as ${who.name}`);
  summary.title = who.name;
  $(".initial").textContent = who.name[0].toUpperCase();
  $(".who").textContent = who.name;
  $(".who").href = `https://huggingface.co/${encodeURIComponent(who.name)}`;
  $(".role").hidden = !who.maintainer;
}

const menu = $("#signed-in");
window.hoodwinkAccount?.abort(); // a re-rendered component must not listen twice
window.hoodwinkAccount = new AbortController();
const listening = { signal: window.hoodwinkAccount.signal };
document.addEventListener("click", (event) => menu.contains(event.target) || (menu.open = false), listening);
menu.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("visibilitychange", () => document.hidden || look(), listening);

if (location.hash === "#judge") {
  history.replaceState(null, "", location.pathname + location.search);
  openTab("Judge");
}
look();
