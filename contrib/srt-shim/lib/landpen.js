/* The landpen program: where it is, and what it says about settings. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** The program that name stands for, absolute, or undefined. */
export function which(name) {
  if (name.includes('/')) {
    return isProgram(name) ? path.resolve(name) : undefined
  }
  return (process.env.PATH ?? '')
    .split(':')
    .map(dir => path.resolve(dir || '.', name))
    .find(isProgram)
}

/** landpen itself: $LANDPEN, or by PATH. */
export function landpen() {
  return which(process.env.LANDPEN || 'landpen')
}

export function landpenOrThrow() {
  const program = landpen()
  if (!program) {
    throw new Error(
      'Sandbox dependencies not available: landpen not found; install it or set LANDPEN',
    )
  }
  return program
}

/** Why no pen with a writable project can be made here, or undefined. */
export function trouble() {
  const program = landpen()
  if (!program) {
    return 'landpen not found; install it or set LANDPEN'
  }
  const run = spawnSync(program, ['doctor', '--json'], { encoding: 'utf8' })
  if (run.status === 0) {
    return undefined
  }
  return run.error?.message || 'landpen can make no pen here: run landpen doctor'
}

/**
 * Has landpen read a settings file: the notices about it, or an Error with its sentence, which
 * names the key.
 */
export function check(file) {
  const run = spawnSync(landpenOrThrow(), ['policy', '-s', file], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said = (run.stderr ?? '')
    .split('\n')
    .filter(Boolean)
    .map(line => line.replace(/^landpen: /, '').replaceAll(`${file}:1: `, ''))
  if (run.error || run.status !== 0) {
    throw new Error(`Invalid sandbox configuration: ${run.error?.message ?? said.at(-1)}`)
  }
  return said
}
