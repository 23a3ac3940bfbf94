import { useQuery } from '@tanstack/react-query'
import { health } from '../../api/session'
import { asProblem } from '../../api/problem'
import { Fact, Facts } from '../../ui/Fact'
import { ProblemView } from '../../ui/ProblemView'
import { Waiting } from '../runs/Waiting'
import { settingsKeys } from './keys'
import classes from './Settings.module.css'

/** What runs here. How it is set up is said by the server's own options, which only its machine can change. */
export function ServerInfo() {
  const { data, error, refetch } = useQuery({ queryKey: settingsKeys.health, queryFn: ({ signal }) => health(signal), staleTime: 0 })
  if (data === undefined) return error === null ? <Waiting /> : <ProblemView problem={asProblem(error)} onRetry={() => void refetch()} />
  return (
    <div className={classes.panels}>
      <section className={classes.panel} aria-labelledby="server-facts">
        <h2 id="server-facts">Server</h2>
        <Facts>
          <Fact label="Address">{location.origin}</Fact>
          <Fact label="Version">{'version' in data && typeof data.version === 'string' ? data.version : undefined}</Fact>
          <Fact label="Values">{data.sealed ? 'sealed' : 'open: the root key is loaded'}</Fact>
          <Fact label="Passphrase">{data.passphrase ? 'opens it after each start' : 'none: it opens with its key file'}</Fact>
        </Facts>
      </section>
    </div>
  )
}
