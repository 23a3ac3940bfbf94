import { Button, Checkbox, Group, Radio, Select, Stack } from '@mantine/core'
import { IconArrowsDiff, IconCircleCheck, IconCircleX, IconHandStop } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { keys } from '../../api/keys'
import { asProblem, Problem } from '../../api/problem'
import { bodyOf, type Schemas, useApi } from '../../app/api'
import { capital, count } from '../../ui/format'
import { iconProps } from '../../ui/icons'
import { ProblemView } from '../../ui/ProblemView'
import { useToast } from '../../ui/say'
import { problemOfQuery } from '../resources/named'
import { accountPlace } from '../resources/PlaceLink'
import { Loaded } from '../resources/Waiting'
import type { Secret } from '../secrets/secret'
import type { Account } from './account'
import classes from './account.module.css'
import type { OnWrite } from './onWrite'
import { OnWriteChoice } from './OnWriteChoice'
import { PlaceChoice } from './PlaceChoice'
import { type Holds, holdsNames, holdsText, type Place, placeText } from './place'

type Comparison = Schemas['Comparison']
type KeyRef = Schemas['KeyRef']
type Keep = 'vault' | 'cluster'

/** What a comparison says to a person, and whether the key can be mapped. */
export function verdictOf(result: Comparison['result'], current: number): { tone: 'ok' | 'warn' | 'danger'; text: string; mappable: boolean } {
  switch (result) {
    case 'equal':
      return { tone: 'ok', text: `Equal to v${current}, compared without showing.`, mappable: true }
    case 'no_value':
      return { tone: 'ok', text: 'The account has no value yet; the key’s becomes its first.', mappable: true }
    case 'differs':
      return { tone: 'warn', text: `The key holds another value than v${current}.`, mappable: true }
    case 'key_missing':
      return { tone: 'danger', text: 'The Secret has no such key.', mappable: false }
    case 'mapped':
      return { tone: 'danger', text: 'The key is mapped already.', mappable: false }
    case 'unreadable':
      return { tone: 'danger', text: 'The value cannot be read that way.', mappable: false }
  }
}

const icons = { ok: IconCircleCheck, warn: IconArrowsDiff, danger: IconCircleX }

function useComparison(account: Account, secret: Secret, name: string, place: Place | undefined, holds?: Holds, enabled = true) {
  const api = useApi()
  const body = { accountId: account.id, secretId: secret.id, key: name, place, holds }
  const compared = useQuery({
    queryKey: [...keys.one('secret', secret.id), 'compare', account.id, account.current, name, place, holds],
    queryFn: async ({ signal }) => bodyOf(await api.POST('/api/v1/mappings/compare', { body, signal })),
    // It holds for the moment in which it was made.
    gcTime: 0,
    retry: false,
    enabled,
  })
  return { data: compared.data, problem: problemOfQuery(compared), onRetry: () => void compared.refetch() }
}

/** How a key compares with the account, what follows from it, and the button that maps it. */
export function Compared({ account, secret, name }: { account: Account; secret: Secret; name: string }) {
  const compared = useComparison(account, secret, name, undefined)
  return <Loaded of={compared} lines={2}>{(found) => <Placed account={account} secret={secret} name={name} whole={found} />}</Loaded>
}

/** A value whose form says that it holds more is first looked at there, unless it is the password as a whole. */
function Placed({ account, secret, name, whole }: { account: Account; secret: Secret; name: string; whole: Comparison }) {
  const proposed = whole.places ?? []
  const [place, setPlace] = useState(whole.result === 'equal' ? undefined : proposed[0])
  const [onWrite, setOnWrite] = useState<OnWrite>('restart')
  // Of a pair the user name changes too, and has to stand somewhere.
  const [chosen, setChosen] = useState<Holds>()
  const holds = account.pair ? chosen ?? (place === undefined ? 'password' : 'both') : undefined
  const seen = place === undefined && (holds ?? 'password') === 'password'
  const part = useComparison(account, secret, name, place, holds, !seen)
  const then = <OnWriteChoice value={onWrite} onChange={(word) => setOnWrite(word as OnWrite)} />
  const decide = (found: Comparison) => <Decide key={`${placeText(place)} ${holds ?? ''}`} account={account} secret={secret} name={name} answer={{ place, holds, onWrite }} found={found}>{then}</Decide>
  return (
    <Stack gap="md">
      {whole.result !== 'mapped' && whole.result !== 'key_missing' && (
        <>
          {account.pair && (
            <Select
              label="What stands there"
              description={`The account is a pair, ${account.name} and ${account.pair}: a reset changes which of them is used.`}
              data={Object.entries(holdsNames).map(([value, label]) => ({ value, label }))}
              value={holds}
              onChange={(next) => setChosen((next ?? 'password') as Holds)}
              allowDeselect={false}
            />
          )}
          <PlaceChoice label={`${capital(holds === 'both' ? 'they are' : `${holdsText(holds)} is`)}`} proposed={proposed} place={place} onChoose={setPlace} />
        </>
      )}
      {seen ? decide(whole) : <Loaded of={part} lines={2}>{decide}</Loaded>}
    </Stack>
  )
}

/** What the mapping is to say besides account and key. */
interface Answer {
  place: Place | undefined
  holds: Holds | undefined
  onWrite: OnWrite
}

/** `children` ask what a mapping needs to know besides. */
function Decide({ account, secret, name, answer, found, children }: { account: Account; secret: Secret; name: string; answer: Answer; found: Comparison; children: ReactNode }) {
  const verdict = verdictOf(found.result, account.current)
  const Icon = icons[verdict.tone]
  // Where nothing can be mapped the server's own words say it best.
  const reason = verdict.mappable ? undefined : found.reason
  const [keep, setKeep] = useState<Keep>()
  const [chosen, setChosen] = useState<readonly KeyRef[]>([])
  const differs = found.result === 'differs'
  const { busy, problem, save } = useMap(account, secret, name, answer)
  const others = found.others ?? []
  return (
    <Stack gap="md">
      <div role="status">
        <p className={classes.verdict} data-tone={verdict.tone}><Icon {...iconProps} /><span>{reason ?? verdict.text}</span></p>
        {reason === undefined && found.reason && <p className={classes.advice}>{found.reason}</p>}
      </div>
      {found.owner && (
        <div>
          <p className={classes.verdict}><IconHandStop {...iconProps} /><span>Owned by <b><bdi>{found.owner}</bdi></b>: Keyturn does not write this key.</span></p>
          {found.advice && <p className={classes.advice}>{found.advice}</p>}
        </div>
      )}
      {differs && (
        <Radio.Group label="Which is right?" value={keep ?? ''} onChange={(next) => setKeep(next === 'vault' ? 'vault' : 'cluster')}>
          <Stack gap="sm" mt="xs">
            <Radio value="vault" classNames={{ radio: classes.radio }} label={`The vault: v${account.current}`} description="The key is behind until the next reset writes it." />
            <Radio value="cluster" classNames={{ radio: classes.radio }} label={answer.place === undefined ? 'The cluster: what the key holds' : 'The cluster: what stands there'} description={`It becomes v${account.current + 1} of ${account.name}, unverified until a login proves it.`} />
          </Stack>
        </Radio.Group>
      )}
      {verdict.mappable && others.length > 0 && <Others others={others} chosen={chosen} onChoose={setChosen} />}
      {verdict.mappable && children}
      {problem && <ProblemView problem={problem} />}
      {verdict.mappable && (
        <Group gap="sm">
          <Button loading={busy} disabled={differs && keep === undefined} onClick={() => void save(keep, chosen)}>
            {chosen.length === 0 ? 'Map and save' : `Map ${count(chosen.length + 1)} keys and save`}
          </Button>
          {differs && keep === undefined && <span className={classes.advice}>Say first which is right.</span>}
        </Group>
      )}
    </Stack>
  )
}

const refId = (ref: KeyRef) => `${ref.secretId} ${ref.key}`

function Others({ others, chosen, onChoose }: { others: readonly KeyRef[]; chosen: readonly KeyRef[]; onChoose: (refs: readonly KeyRef[]) => void }) {
  const turn = (ref: KeyRef) => onChoose(chosen.includes(ref) ? chosen.filter((one) => one !== ref) : [...chosen, ref])
  return (
    <fieldset className={classes.choice}>
      <legend>{others.length === 1 ? '1 other key holds the account’s value' : `${count(others.length)} other keys hold the account’s value`}</legend>
      {others.length > 1 && (
        <Checkbox label="Map them too" checked={chosen.length === others.length} indeterminate={chosen.length > 0 && chosen.length < others.length} onChange={() => onChoose(chosen.length === others.length ? [] : others)} />
      )}
      {others.map((ref) => (
        <Checkbox key={refId(ref)} checked={chosen.includes(ref)} onChange={() => turn(ref)} label={<><bdi>{ref.cluster}</bdi> <bdi>{ref.namespace}/{ref.secret}</bdi>: <code>{ref.key}</code></>} />
      ))}
    </fieldset>
  )
}

/** Maps the key and then the others, one by one. It stops at the first that is refused and says how far it came. */
function useMap(account: Account, secret: Secret, name: string, { place, holds, onWrite }: Answer) {
  const api = useApi()
  const client = useQueryClient()
  const navigate = useNavigate()
  const say = useToast()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const save = async (keep: Keep | undefined, others: readonly KeyRef[]) => {
    setBusy(true)
    setProblem(undefined)
    let done = 0
    try {
      await api.POST('/api/v1/mappings', { body: { accountId: account.id, secretId: secret.id, key: name, place, holds, onWrite, keep } })
      done++
      for (const { secretId, key } of others) {
        await api.POST('/api/v1/mappings', { body: { accountId: account.id, secretId, key, onWrite } })
        done++
      }
      say(done === 1 ? 'Mapped' : `${count(done)} keys mapped`)
      await navigate({ ...accountPlace({ ...account, accountName: account.name }), search: { tab: 'mappings' } } as never)
    } catch (error) {
      setProblem(partly(asProblem(error), done, others.length + 1))
    } finally {
      setBusy(false)
      for (const kind of ['mapping', 'secret'] as const) void client.invalidateQueries({ queryKey: keys.lists(kind) })
      void client.invalidateQueries({ queryKey: keys.one('account', account.id) })
      void client.invalidateQueries({ queryKey: keys.one('secret', secret.id) })
    }
  }
  return { busy, problem, save }
}

/** Of several writes one was refused: what was done before it stays done. */
export function partly(problem: Problem, done: number, all: number): Problem {
  if (done === 0) return problem
  return new Problem({ ...problem.fields, unchanged: `${count(done)} of ${count(all)} keys were mapped and stay so; the others were not.` })
}
