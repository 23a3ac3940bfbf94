// Runs before the first paint, so that no page flashes in the other theme.
;(function () {
  var chosen = null
  try {
    chosen = localStorage.getItem('keyturn-theme')
  } catch (e) {
    // Storage may be forbidden; the system's theme is used then.
  }
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light')
  // Nothing of a session is kept in the browser. A library that would remember scroll positions there finds no storage, and
  // the page does not wait for the browser to open it (0.1 s).
  Object.defineProperty(window, 'sessionStorage', { value: undefined })
})()
