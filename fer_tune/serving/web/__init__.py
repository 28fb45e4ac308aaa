"""The page that recognises expressions in the browser, as files or from a local server.

::

    page/     the page itself: HTML, CSS and ES modules, as they are served
    runtime   onnxruntime-web, from npm or a folder
    networks  the classifiers and the detector as ONNX files
    contents  everything that a page consists of, and its settings
    folder    the page as a folder of static files
    server    the page from a local server
"""
