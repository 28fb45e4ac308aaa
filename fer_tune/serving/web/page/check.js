// Runs also where the page itself does not: in browsers without modules, and from a file.
// It is written for old browsers.
(function () {
  "use strict";
  function say(text) {
    var place = document.getElementById("status");
    place.className = "problem";
    place.textContent = text;
    document.documentElement.className = "unusable";
  }

  // (module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)): 128-bit instructions.
  var SIMD = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253,
    15, 253, 98, 11,
  ];

  function isOld() {
    return (
      !("noModule" in document.createElement("script")) ||
      typeof WebAssembly === "undefined" ||
      typeof OffscreenCanvas === "undefined" ||
      typeof createImageBitmap === "undefined" ||
      typeof HTMLDialogElement === "undefined" ||
      !WebAssembly.validate(new Uint8Array(SIMD))
    );
  }

  // Deferred: the page is there, and the module, which comes after this script, has not begun.
  if (location.protocol === "file:") {
    say(
      "This page does not work from a file. Serve its folder: python -m http.server --directory FOLDER"
    );
  } else if (isOld()) {
    say("This browser is too old for this page. Chrome, Edge and Firefox from 2023 on work, and Safari from 17.");
  }
})();
