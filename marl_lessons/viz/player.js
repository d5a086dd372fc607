function (settings) {
  const root = document.getElementById(settings.id);
  if (!root) return;
  const image = root.querySelector("img");
  const button = root.querySelector("button");
  const slider = root.querySelector("input");
  const last = settings.frames.length - 1;
  let timer = null;
  function show(frame) {
    slider.value = frame;
    image.src = "data:image/png;base64," + settings.frames[frame];
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
    }, settings.interval);
  }
  button.addEventListener("click", function () { if (timer) stop(); else play(); });
  slider.addEventListener("input", function () { stop(); show(Number(slider.value)); });
  root.querySelector(".marl-controls").style.display = "block";
}
