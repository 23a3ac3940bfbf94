import type { Mapping } from './account'

export type OnWrite = Mapping['onWrite']

/** What a run does, when it has written a key, with the workloads that read it. */
export const onWrites: readonly { value: OnWrite; label: string; short: string; means: string }[] = [
  { value: 'restart', label: 'restart what reads it', short: 'restart', means: 'Each workload whose pods hold the key is restarted once, and watched until no pod is left from before.' },
  { value: 'ask', label: 'ask first', short: 'ask first', means: 'The run stops and names them; they are restarted when somebody lets it go on.' },
  { value: 'nothing', label: 'leave it alone', short: 'leave alone', means: 'What reads it takes up the new value by itself, or somebody else restarts it. The run does not wait for that.' },
]

export const onWriteOf = (word: OnWrite) => onWrites.find(({ value }) => value === word)
