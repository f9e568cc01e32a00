// Opens the network and shows it.

const facts = JSON.parse(document.getElementById("facts").textContent);
let network = null;

openNetwork(facts, document.getElementById("arrays").textContent.trim()).then((opened) => {
  network = opened;
  document.documentElement.dataset.ready = "yes";
});
