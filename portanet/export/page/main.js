// Opens the network and builds the page.

let network = null, explorer = null;

function heading(main) {
  const chips = [facts.score, `${facts.layers.reduce((sum, layer) => sum + layer.parameters, 0).toLocaleString("en")} weights in ${facts.precision}`,
    "runs in this page, offline"].filter(Boolean);
  main.querySelector("h1").after(element("span", { class: "quiet" }, chips.join(" · ")));
}

openNetwork(facts, document.getElementById("arrays").textContent.trim()).then((opened) => {
  network = opened;
  const main = document.getElementById("page");
  heading(main);
  explorer = facts.fields ? tablePage(main) : imagesPage(main);
  document.documentElement.dataset.ready = "yes";
});
