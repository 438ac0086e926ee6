/* What was refused: srt's store, filled from the lines that landpen --report writes. */
import { closeSync, openSync, readSync } from 'node:fs'

const KEY_LENGTH = 100
const MAX_VIOLATIONS = 100

/* eslint-disable-next-line no-control-regex -- these are what is taken out */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gu

/** The key by which srt's store files a command. */
export const encodeKey = command =>
  Buffer.from(command.slice(0, KEY_LENGTH)).toString('base64')

export class SandboxViolationStore {
  #violations = []
  #total = 0
  #listeners = new Set()

  addViolation(violation) {
    const line = violation.line.replace(UNSAFE, ' ').replace(/[<>]/g, '').trim()
    this.#violations.push({ ...violation, line })
    this.#violations = this.#violations.slice(-MAX_VIOLATIONS)
    this.#total++
    this.#notify()
  }

  getViolations(limit) {
    return limit === undefined ? [...this.#violations] : this.#violations.slice(-limit)
  }

  getCount() {
    return this.#violations.length
  }

  getTotalCount() {
    return this.#total
  }

  getViolationsForCommand(command) {
    const key = encodeKey(command)
    return this.#violations.filter(violation => violation.encodedCommand === key)
  }

  clear() {
    this.#violations = []
    this.#notify()
  }

  subscribe(listener) {
    this.#listeners.add(listener)
    listener(this.getViolations())
    return () => this.#listeners.delete(listener)
  }

  #notify() {
    for (const listener of this.#listeners) {
      listener(this.getViolations())
    }
  }
}

/** The report of one wrapped command. */
export class Report {
  #read = 0
  #rest = ''

  constructor(file, key, command) {
    Object.assign(this, { file, key, command })
  }

  /* The text that came since the last time, as whole lines. */
  #lines() {
    let fd
    try {
      fd = openSync(this.file, 'r')
    } catch {
      return [] // it has not been started
    }
    try {
      const bytes = Buffer.alloc(65536)
      for (let n; (n = readSync(fd, bytes, 0, bytes.length, this.#read)) > 0; this.#read += n) {
        this.#rest += bytes.toString('latin1', 0, n)
      }
    } finally {
      closeSync(fd)
    }
    const lines = this.#rest.split('\n')
    this.#rest = lines.pop()
    return lines.map(line => Buffer.from(line, 'latin1').toString('utf8'))
  }

  /** Adds what is new to the store. Files are told only if asked for, as in srt. */
  collect(store, files) {
    for (const text of this.#lines()) {
      const { refused, violation } = JSON.parse(text)
      if (refused === 'write' && !files) {
        continue
      }
      store.addViolation({
        line: violation,
        encodedCommand: encodeKey(this.key),
        command: this.command,
        timestamp: new Date(),
      })
    }
  }
}
