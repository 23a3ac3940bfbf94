// Two ways to do the same jobs: with the mouse, and with the keyboard alone. A story says what is done, not with what.
const tabs = 150 // no page has so many stops

/** Clicks and fills, as Playwright does. */
export function mouse(page) {
  return {
    press: (target) => target.click(),
    type: (target, text) => target.fill(text),
    check: (target) => target.check(),
    focus: (target) => target.focus(),
    openRow: (grid, name) => grid.getByRole('link', { name }).first().click(),
    choose: async (field, option) => {
      await field.click()
      await page.getByRole('option', { name: option }).first().click()
    },
    item: (name) => page.getByRole('menuitem', { name }).click(),
  }
}

/** Tab, arrows, Enter and Space; text comes as typed or pasted text comes. What Tab does not reach cannot be used. */
export function keyboard(page) {
  const keys = page.keyboard
  const focus = async (target) => {
    await target.waitFor()
    const wanted = await target.elementHandle()
    for (let i = 0; i < tabs; i++) {
      if (await wanted.evaluate((element) => element === document.activeElement)) {
        await seen(target)
        return
      }
      await keys.press('Tab')
    }
    throw new Error(`Tab does not reach ${target}`)
  }
  /** Focus that is hidden, or under the bar at the top, is lost (WCAG 2.4.11). */
  const seen = async (target) => {
    const hidden = await target.evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect()
      const bar = document.querySelector('header')
      const under = bar !== null && !bar.contains(element) && !element.closest('nav, [role="dialog"]') ? bar.getBoundingClientRect().bottom : 0
      return bottom <= under || top >= innerHeight
    })
    if (hidden) throw new Error(`${target} has the focus where it cannot be seen`)
  }
  const press = async (target) => {
    await focus(target)
    await keys.press('Enter')
  }
  return {
    press,
    focus,
    type: async (target, text) => {
      await focus(target)
      await keys.press('ControlOrMeta+A')
      await keys.insertText(text)
    },
    check: async (target) => {
      await focus(target)
      if (!(await target.isChecked())) await keys.press('Space')
    },
    openRow: async (grid, name) => {
      await grid.getByRole('link', { name }).first().waitFor()
      await focus(grid)
      await keys.press('Enter')
    },
    choose: async (field, option) => {
      await focus(field)
      await keys.press('ArrowDown')
      const wanted = page.getByRole('option', { name: option }).first()
      await wanted.waitFor()
      for (let i = 0; i < tabs && (await wanted.getAttribute('data-combobox-selected')) === null; i++) await keys.press('ArrowDown')
      await keys.press('Enter')
    },
    item: async (name) => {
      const wanted = page.getByRole('menuitem', { name })
      await wanted.waitFor()
      for (let i = 0; i < tabs && !(await wanted.evaluate((element) => element === document.activeElement)); i++) await keys.press('ArrowDown')
      await keys.press('Enter')
    },
  }
}
