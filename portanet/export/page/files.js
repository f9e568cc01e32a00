// Opens files that are dropped anywhere on the page or pasted.
function listenForFiles(open) {
  const over = (event) => { event.preventDefault(); document.body.classList.add("dropping"); };
  addEventListener("dragover", over);
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    open(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => { if (event.clipboardData.files[0]) open(event.clipboardData.files[0]); });
}
