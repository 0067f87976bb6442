document.querySelectorAll("button[data-copy]").forEach(function (button) {
  var area = document.getElementById(button.dataset.copy), label = button.textContent;
  function done() { button.textContent = "Copied"; button.classList.add("done"); setTimeout(function () { button.textContent = label; button.classList.remove("done"); }, 1600); }
  function fallback() {
    area.classList.add("shown"); area.focus(); area.select();
    var copied = false; try { copied = document.execCommand("copy"); } catch (error) { copied = false; }
    if (copied) { area.classList.remove("shown"); done(); } else { button.textContent = "Selected: press Ctrl+C"; }
  }
  button.addEventListener("click", function () {
    if (navigator.clipboard && window.isSecureContext) { navigator.clipboard.writeText(area.value).then(done, fallback); } else { fallback(); }
  });
});
