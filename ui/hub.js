// How it stands with the Hub, in words for everybody.
// Runs after common.js in the same function; `hub` is what Game.hub gives, or null where no repository is used.

const hubAddress = (hub) => `https://huggingface.co/datasets/${hub.repository}`;

// The visitor's own time; with the day where it is not today.
function clock(moment) {
  const then = new Date(moment);
  const day = then.toDateString() === new Date().toDateString() ? {} : { month: "short", day: "numeric" };
  return then.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
}

function hubInWords(hub) {
  if (hub.unpublished) return `${hub.unpublished} record${hub.unpublished === 1 ? "" : "s"} not yet on the Hub, since ${clock(hub.since)}`;
  return hub.published_at ? `All on the Hub (${clock(hub.published_at)})` : "Not compared with the Hub yet";
}

// Does the Hub hold nothing any more of what was withdrawn then?
function isGone(hub, withdrawnAt) {
  const at = Date.parse(withdrawnAt) + 2000; // states are as old as a second, and told in whole ones
  return !hub.problem && !hub.withdrawing && (Date.parse(hub.published_at) > at || Date.parse(hub.since) > at);
}
