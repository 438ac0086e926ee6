/*
 * The folder of one session: settings files that commands are started with, and their reports. It
 * is where landpen keeps its own state, which no pen may change.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

function place() {
  const state = process.env.XDG_STATE_HOME
  return path.join(
    state?.startsWith('/') ? state : path.join(os.homedir(), '.local/state'),
    'landpen/srt-shim',
  )
}

/* Process ids mean something in their own namespace only. */
const namespace = () => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))[0]

/* What sessions left that were killed. */
function sweep(dir) {
  for (const name of readdirSync(dir)) {
    const [space, pid] = name.split('-')
    if (space === namespace() && !existsSync(`/proc/${pid}`)) {
      rmSync(path.join(dir, name), { recursive: true, force: true })
    }
  }
}

export class Session {
  #count = 0

  constructor() {
    const dir = place()
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    sweep(dir)
    this.dir = mkdtempSync(path.join(dir, `${namespace()}-${process.pid}-`))
    this.remove = () => rmSync(this.dir, { recursive: true, force: true })
    process.once('exit', this.remove)
  }

  /** The file that holds text, and whether it is new. */
  settings(text) {
    const name = createHash('sha256').update(text).digest('hex')
    const file = path.join(this.dir, `${name}.json`)
    const isNew = !existsSync(file)
    if (isNew) {
      writeFileSync(file, text, { mode: 0o600 })
    }
    return { file, isNew }
  }

  forget(file) {
    rmSync(file, { force: true })
  }

  report() {
    return path.join(this.dir, `${++this.#count}.report`)
  }

  close() {
    process.removeListener('exit', this.remove)
    this.remove()
  }
}
