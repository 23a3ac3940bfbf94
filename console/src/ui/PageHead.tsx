import { type ReactNode, useContext, useEffect, useRef } from 'react'
import { type Crumb, CrumbsContext } from './crumbs'
import classes from './PageHead.module.css'

export interface PageHeadProps {
  title: string
  /** What stands above this page; the title itself is added. */
  above?: readonly Crumb[]
  /** The browser tab's text when it is not the title, such as "27/37 app_rw". */
  tab?: string
  /** State words after the title. */
  state?: ReactNode
  /** The buttons, main one first. */
  actions?: ReactNode
  /** The one sentence that answers the page's question. */
  children?: ReactNode
}

/** The top of a page in the frame: names page, breadcrumb and browser tab, and takes the focus when the page is new. */
export function PageHead({ title, above, tab, state, actions, children }: PageHeadProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const setCrumbs = useContext(CrumbsContext)
  // The list is often written in place by the page; its text tells whether it changed.
  const path = JSON.stringify(above ?? [])
  useEffect(() => {
    setCrumbs([...(JSON.parse(path) as Crumb[]), { label: title }])
  }, [path, title, setCrumbs])
  useEffect(() => {
    document.title = `${tab ?? title} · Keyturn`
  }, [tab, title])
  useEffect(() => {
    // Whoever already works in the page keeps the focus; a dialog keeps it too.
    const at = document.activeElement
    if (at?.closest('main, [role="dialog"], dialog') && at !== document.querySelector('main')) return
    heading.current?.focus({ preventScroll: true })
  }, [path, title])
  return (
    <div className={classes.head}>
      <div className={classes.line}>
        <h1 ref={heading} tabIndex={-1}><bdi>{title}</bdi></h1>
        {state !== undefined && <div className={classes.state}>{state}</div>}
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </div>
      {children !== undefined && <div className={classes.answer} data-answer="">{children}</div>}
    </div>
  )
}
