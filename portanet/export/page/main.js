// Opens the network and shows it.

let network = null, explorer = null;

function heading(main) {
  const chips = [facts.score, `${facts.layers.reduce((sum, layer) => sum + layer.parameters, 0).toLocaleString("en")} weights in ${facts.precision}`,
    "it runs in this page, without a network"].filter(Boolean);
  main.querySelector("h1").after(element("span", { class: "quiet" }, chips.join(" · ")));
}

openNetwork(facts, document.getElementById("arrays").textContent.trim()).then((found) => {
  network = found;
  const main = document.getElementById("page");
  heading(main);
  explorer = facts.fields ? tablePage(main) : imagesPage(main);
  document.documentElement.dataset.ready = "yes";
});
