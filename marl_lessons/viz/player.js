function (film) {
  // The same film may stand in several outputs: set up those that are not yet.
  const roots = document.querySelectorAll(`[data-film="${film.film}"]:not([data-ready])`);
  roots.forEach(function (root) {
    root.dataset.ready = "yes";
    const image = root.querySelector("img");
    const button = root.querySelector("button");
    const slider = root.querySelector("input");
    const last = film.frames.length - 1;
    let timer = null;
    function show(frame) {
      slider.value = frame;
      image.src = "data:image/png;base64," + film.frames[frame];
    }
    function stop() {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    }
    function play() {
      if (Number(slider.value) === last) show(0);
      button.textContent = "Pause";
      timer = setInterval(function () {
        const next = Number(slider.value) + 1;
        if (next > last) stop(); else show(next);
      }, film.interval);
    }
    button.addEventListener("click", function () { if (timer) stop(); else play(); });
    slider.addEventListener("input", function () { stop(); show(Number(slider.value)); });
    // JupyterLab takes arrow keys for its own, to move from cell to cell.
    root.addEventListener("keydown", function (event) { event.stopPropagation(); });
    root.querySelector(".marl-controls").style.display = "block";
  });
}
