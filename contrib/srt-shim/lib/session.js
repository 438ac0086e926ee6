/*
 * The folder of one session: settings files that commands are started with, what has changed in each
 * since, and reports. It is where landpen keeps its own state, which no pen may change.
 */
import { createHash } from 'node:crypto'
import {
  appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { network } from './settings.js'

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
  #settings = new Map()

  constructor() {
    const dir = place()
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    sweep(dir)
    this.dir = mkdtempSync(path.join(dir, `${namespace()}-${process.pid}-`))
    this.remove = () => rmSync(this.dir, { recursive: true, force: true })
    process.once('exit', this.remove)
  }

  /**
   * The file that holds text, the one that its updates go to, and whether they are new. custom: what
   * the call said of the network, which also holds of hosts that are allowed later. Without rules for
   * files there are no updates: the command could write them.
   */
  settings(text, custom) {
    const said = JSON.stringify(custom?.network ?? null)
    const name = createHash('sha256').update(`${said}\n${text}`).digest('hex')
    const file = path.join(this.dir, `${name}.json`)
    const disabled = JSON.parse(text).filesystem?.disabled === true
    const updates = disabled ? undefined : path.join(this.dir, `${name}.updates`)
    const isNew = !this.#settings.has(file)
    if (isNew) {
      writeFileSync(file, text, { mode: 0o600 })
      if (updates) {
        writeFileSync(updates, '', { mode: 0o600 })
      }
      this.#settings.set(file, { text, custom, updates, last: undefined })
    }
    return { file, updates, isNew }
  }

  forget(file) {
    const { updates } = this.#settings.get(file)
    rmSync(file, { force: true })
    if (updates) {
      rmSync(updates, { force: true })
    }
    this.#settings.delete(file)
  }

  /** Gives the network of config to all commands, to those that run as well. */
  update(config) {
    for (const settings of this.#settings.values()) {
      const line = JSON.stringify({
        ...JSON.parse(settings.text),
        network: network(config, settings.custom),
      })
      if (settings.updates && line !== (settings.last ?? settings.text)) {
        appendFileSync(settings.updates, `\n${line}\n`) // the one before may have been cut
        settings.last = line
      }
    }
  }

  report() {
    return path.join(this.dir, `${++this.#count}.report`)
  }

  close() {
    process.removeListener('exit', this.remove)
    this.remove()
  }
}
