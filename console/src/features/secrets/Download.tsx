import { useState } from 'react'
import { useApi } from '../../app/api'
import { Confirm } from '../../ui/Confirm'
import { useToast } from '../../ui/say'
import { Offer } from '../../ui/Offer'
import type { Secret } from './secret'

/** Hands a file to the browser; its address is forgotten at once. */
function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // The browser has to have begun with it.
  setTimeout(() => URL.revokeObjectURL(address), 1000)
}

/** The button that downloads a Secret with its values. It asks as a reveal does. */
export function Download({ secret }: { secret: Secret }) {
  const api = useApi()
  const say = useToast()
  const [asking, setAsking] = useState(false)
  const download = async () => {
    const { data } = await api.POST('/api/v1/secrets/{secret}/download', { params: { path: { secret: secret.id } }, parseAs: 'blob' })
    save(data as unknown as Blob, `${secret.namespace}-${secret.name}.json`)
    say('Downloaded')
  }
  return (
    <>
      <Offer may={secret.can?.['download']} onClick={() => setAsking(true)}>Download…</Offer>
      <Confirm
        opened={asking}
        onClose={() => setAsking(false)}
        level={2}
        verb="Download"
        object={`${secret.namespace}/${secret.name}`}
        consequences={[
          `The file holds ${secret.keyCount === 1 ? 'the value of its one key' : `the values of all ${secret.keyCount} keys`}, readable by anyone who has it.`,
          'It is recorded in the audit log under your name, as a reveal.',
        ]}
        onConfirm={download}
      />
    </>
  )
}
