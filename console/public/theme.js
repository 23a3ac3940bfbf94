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
})()
