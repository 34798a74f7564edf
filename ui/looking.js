// Work that is done only while somebody looks: not behind another tab of the page, nor of the browser.

// Runs `work` at once when the component comes into view, and every so often until it is gone. What is so right now
// stands in the element's data-refreshing.
function whileLookedAt(work, everyMs) {
  let timer = null;
  const follow = () => {
    const looked = element.isConnected && element.offsetParent !== null;
    if (looked === (timer !== null)) return;
    clearInterval(timer);
    timer = looked ? setInterval(() => { if (!document.hidden) work(); }, everyMs) : null;
    element.dataset.refreshing = looked;
    if (looked) work();
  };
  new ResizeObserver(follow).observe(element);
  follow();
}
