// Explain: what the model looked at, below the ink, for the digit it sees or the one pointed at in the list.
// Runs after sketchpad.js and before draw.js in the same function.

const explain = (() => {
  const button = $("#explain"), told = $("#explained"), looked = $("#explained .looked"), earlier = $("#before");
  const bars = [...element.querySelectorAll(".bars li")];
  const heat = Object.assign(document.createElement("canvas"), { width: 28, height: 28 }); // its alpha is the heat
  const tinted = heat.cloneNode();
  let on = false;
  let hovered = null, focused = null; // digits of the list
  let before = false; // of the weights served before?
  let asking = false, waiting = false;

  // Below what is painted: the heat in the theme's colour, smooth.
  function paintHeat(canvas) {
    const brush = tinted.getContext("2d");
    brush.globalCompositeOperation = "copy";
    brush.drawImage(heat, 0, 0);
    brush.globalCompositeOperation = "source-in";
    brush.fillStyle = getComputedStyle(canvas).getPropertyValue("--hw-heat");
    brush.fillRect(0, 0, 28, 28);
    const paper = canvas.getContext("2d");
    paper.globalCompositeOperation = "destination-over";
    paper.imageSmoothingQuality = "high";
    paper.drawImage(tinted, 0, 0, UNITS, UNITS);
    paper.globalCompositeOperation = "source-over";
  }

  function setHeat(base64) {
    const image = new ImageData(28, 28);
    if (base64) Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).forEach((value, i) => (image.data[4 * i + 3] = value));
    heat.getContext("2d").putImageData(image, 0, 0);
    paintSoon();
    return image.data.some((value) => value > 0);
  }

  const pointed = () => hovered ?? focused;

  // One call in flight, then the newest drawing and digit.
  async function follow() {
    if (!on || pad.isEmpty) return;
    waiting = true;
    if (asking) return;
    asking = true;
    while (waiting && on && !pad.isEmpty) {
      waiting = false;
      const asked = tryId, points = pad.points, wanted = { digit: pointed(), before };
      let answer;
      try {
        answer = await call("explain", { token, try_id: asked, strokes: pad.strokes, ...wanted });
      } catch {
        answer = { error: "no answer from the server" };
      }
      if (!on || asked !== tryId || pad.isEmpty) continue; // cleared meanwhile
      if (waiting && (wanted.digit !== pointed() || wanted.before !== before)) continue; // something else is wanted now
      show(answer, points);
    }
    asking = false;
  }

  function show(answer, points) {
    const found = setHeat(answer.heat);
    const where = answer.of_before ? "what it looked at before, for" : "what it looked at for";
    looked.textContent = answer.error ?? `${found ? where : "nothing in it speaks for"}: ${answer.digit}`;
    Object.assign(told.dataset, { digit: answer.digit ?? "", points, weightsId: answer.weights_id ?? "" });
    bars.forEach((bar, digit) => bar.classList.toggle("explained", digit === answer.digit && digit === pointed()));
    const then = answer.before;
    earlier.hidden = !then;
    if (!then) return;
    const part = (text) => Object.assign(document.createElement("span"), { textContent: text });
    const saw = `it saw ${named(then.prediction)} (${percent(then.confidence)})`;
    earlier.replaceChildren(part(then.round ? `before round ${then.round}` : "before"), " ", part(saw));
  }

  function forget() {
    delete told.dataset.points;
    setHeat(null);
    looked.textContent = "Draw: what it looks at shows below the ink.";
    earlier.hidden = true;
    lookBefore(false);
    bars.forEach((bar) => bar.classList.remove("explained"));
  }

  function lookBefore(yes) {
    before = yes;
    earlier.setAttribute("aria-pressed", yes);
  }

  function set(wanted) {
    on = wanted && !button.hidden;
    button.setAttribute("aria-pressed", on);
    told.hidden = !on;
    board.classList.toggle("explaining", on);
    pad.under = on ? paintHeat : null;
    hovered = focused = null;
    for (const bar of bars) on ? bar.setAttribute("tabindex", 0) : bar.removeAttribute("tabindex");
    forget();
    follow();
  }

  function toggle() {
    if (button.hidden) return;
    set(!on);
    kept.set("hoodwink-explain", on ? 1 : 0);
  }

  function point(to) {
    const was = pointed();
    to();
    if (pointed() !== was) follow();
  }

  bars.forEach((bar, digit) => {
    // A finger has no hover; tapping gives the focus, and drawing on takes it away.
    bar.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && point(() => (hovered = digit)));
    bar.addEventListener("pointerleave", () => point(() => (hovered = null)));
    bar.addEventListener("focus", () => point(() => (focused = digit)));
    bar.addEventListener("blur", () => point(() => (focused = null)));
  });
  button.addEventListener("click", toggle);
  earlier.addEventListener("click", () => {
    lookBefore(!before);
    follow();
  });

  return { follow, forget, toggle, start: () => set(kept.get("hoodwink-explain") === "1") };
})();
