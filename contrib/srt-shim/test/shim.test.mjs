/*
 * The shim against the landpen that LANDPEN names, and against srt's own package where that is:
 * SRT_PACKAGE, or what tests/agents/fetch.sh has fetched. A denial counts only if the same act works
 * without it.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync,
  symlinkSync, writeFileSync,
} from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { execFile } from 'node:child_process'

const here = path.dirname(fileURLToPath(import.meta.url))
const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache')
const agents = process.env.LANDPEN_AGENTS_DIR || path.join(cache, 'landpen-tests/agents')
const srtPackage =
  process.env.SRT_PACKAGE ||
  path.join(agents, 'srt/node_modules/@anthropic-ai/sandbox-runtime')

// bubblewrap's /dev hides /dev/shm, so not there
const root = realpathSync(mkdtempSync('/var/tmp/srt-shim-test-'))
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0

/* A home with a project that has things to protect. */
function newHome() {
  const home = path.join(root, `${++count}`, 'home')
  const put = (name, text) => {
    mkdirSync(path.dirname(path.join(home, name)), { recursive: true })
    writeFileSync(path.join(home, name), text)
  }
  put('hidden/key', 'key\n')
  put('given/old', 'old\n')
  put('p/kept/file', 'kept\n')
  put('p/closed/file', 'closed\n')
  put('p/closed/open/file', 'open\n')
  execFileSync('git', ['init', '-q'], { cwd: path.join(home, 'p') })
  return home
}

delete process.env.XDG_STATE_HOME
process.env.HOME = newHome()
const { SandboxManager, SandboxRuntimeConfigSchema, SandboxViolationStore, getDefaultWritePaths } =
  await import('../index.js')

const config = (files = {}, network = {}, more = {}) => ({
  network: { allowedDomains: [], deniedDomains: [], ...network },
  filesystem: { denyRead: [], allowWrite: ['.'], denyWrite: [], ...files },
  ...more,
})

let home, warnings
const listen = warning => warnings.push(warning)

beforeEach(() => {
  home = process.env.HOME = newHome()
  process.chdir(path.join(home, 'p'))
  warnings = []
  process.on('warning', listen)
})

afterEach(async () => {
  process.removeListener('warning', listen)
  await SandboxManager.reset()
})

const bare = (command, options) =>
  spawnSync(command, { shell: true, encoding: 'utf8', timeout: 20000, ...options })

async function penned(command, { custom, wrap, ...options } = {}) {
  return bare(await SandboxManager.wrapWithSandbox(command, undefined, custom, undefined, wrap), options)
}

/* Works without, is denied with, works when it is allowed; undo makes it possible again. */
async function triple(command, denied, allowed, undo = () => {}) {
  const outside = bare(command)
  assert.equal(outside.status, 0, `bare: ${outside.stderr}`)
  undo()
  await SandboxManager.initialize(denied)
  const inside = await penned(command)
  assert.notEqual(inside.status, 0, 'it is not denied')
  assert.match(inside.stderr, /denied|Read-only|No such file/, inside.stderr)
  SandboxManager.updateConfig(allowed)
  const again = await penned(command)
  assert.equal(again.status, 0, `allowed: ${again.stderr}`)
  assert.equal(again.stdout, outside.stdout)
}

const tick = () => new Promise(resolve => setImmediate(resolve))
const session = () => path.join(home, '.local/state/landpen/srt-shim')

// ---- acts -------------------------------------------------------------------------------------

test('allowWrite', () =>
  triple('echo x > ~/given/new', config(), config({ allowWrite: ['~/given'] }), () =>
    rmSync(path.join(home, 'given/new')),
  ))

test('denyWrite', () => triple('echo x > kept/file', config({ denyWrite: ['kept'] }), config()))

test('denyRead', () => triple('cat ~/hidden/key', config({ denyRead: ['~/hidden'] }), config()))

test('denyRead of a pattern', () =>
  triple('cat kept/file', config({ denyRead: ['k*/f*'] }), config()))

test('credentials', () =>
  triple(
    'cat ~/hidden/key',
    config({}, {}, { credentials: { files: [{ path: '~/hidden', mode: 'deny' }] } }),
    config(),
  ))

test('filesystem.disabled', () =>
  triple('echo x > ~/given/new', config(), config({ disabled: true })))

test('hosts', async () => {
  const server = http.createServer((request, response) => response.end('hello'))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const fetch = `curl -sf --noproxy '' http://localhost:${server.address().port}/`
  const run = promisify(execFile) // the server must answer meanwhile
  const inPen = async custom =>
    run('sh', ['-c', await SandboxManager.wrapWithSandbox(fetch, undefined, custom)])
  try {
    assert.equal((await run('sh', ['-c', fetch])).stdout, 'hello')
    await SandboxManager.initialize(config())
    await assert.rejects(inPen())
    SandboxManager.updateConfig(config({}, { allowedDomains: ['localhost'] }))
    assert.equal((await inPen()).stdout, 'hello')
    // a call may narrow, and not widen
    await assert.rejects(inPen({ network: { allowedDomains: [] } }))
    await assert.rejects(inPen({ network: { deniedDomains: ['localhost'] } }))
    assert.equal((await inPen({ network: { allowedDomains: ['localhost'] } })).stdout, 'hello')
    SandboxManager.updateConfig(config())
    await assert.rejects(inPen({ network: { allowedDomains: ['localhost'] } }))
  } finally {
    server.close()
  }
})

/* A wrapped command that fetches as often as it is asked to, and writes the status of each. */
function start(line) {
  const child = spawn(line, { shell: true, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const fetch = async () => {
    child.stdin.write('\n')
    return (await lines.next()).value
  }
  const becomes = async expected => {
    const until = Date.now() + 10000
    let status
    while ((status = await fetch()) !== expected) {
      assert.ok(Date.now() < until, `still ${status}, not ${expected}`)
    }
  }
  const end = () => new Promise(resolve => child.on('exit', resolve).stdin.end())
  return { fetch, becomes, end }
}

async function serving(use) {
  const server = http.createServer((request, response) => response.end('hello'))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const fetch = `curl -s -o /dev/null -w '%{http_code}' --noproxy '' http://localhost:${server.address().port}/`
  try {
    await use(`while read -r line; do ${fetch}; echo; done`)
  } finally {
    server.close()
  }
}

const OPEN = { allowedDomains: ['localhost'] }

test('updateConfig changes the hosts of commands that run', () =>
  serving(async command => {
    await SandboxManager.initialize(config())
    const line = await SandboxManager.wrapWithSandbox(command)
    const narrow = await SandboxManager.wrapWithSandbox(command, undefined, {
      network: { allowedDomains: [] },
    })
    const bareOne = start(command)
    const running = [start(line), start(line)] // a line may be run more than once
    const narrowed = start(narrow)
    assert.equal(await bareOne.fetch(), '200')
    for (const one of [...running, narrowed]) {
      assert.equal(await one.fetch(), '403')
    }
    SandboxManager.updateConfig(config({}, OPEN))
    await Promise.all(running.map(one => one.becomes('200')))
    assert.equal(await narrowed.fetch(), '403')
    SandboxManager.updateConfig(config({}, { ...OPEN, deniedDomains: ['localhost'] }))
    await Promise.all(running.map(one => one.becomes('403')))
    SandboxManager.updateConfig(config({ denyWrite: ['kept'] }, OPEN))
    await Promise.all(running.map(one => one.becomes('200')))
    SandboxManager.updateConfig(config())
    await Promise.all(running.map(one => one.becomes('403')))
    await Promise.all([bareOne, ...running, narrowed].map(one => one.end()))
  }))

test('a line that was made before holds what has come since', () =>
  serving(async command => {
    await SandboxManager.initialize(config({}, OPEN))
    const line = await SandboxManager.wrapWithSandbox(command)
    const once = async () => {
      const one = start(line)
      const status = await one.fetch()
      await one.end()
      return status
    }
    assert.equal(await once(), '200')
    SandboxManager.updateConfig(config())
    assert.equal(await once(), '403')
    SandboxManager.updateConfig(config({}, OPEN))
    assert.equal(await once(), '200')
  }))

test('a command without rules for files keeps its hosts', () =>
  serving(async command => {
    await SandboxManager.initialize(config({ disabled: true }, OPEN))
    const running = start(await SandboxManager.wrapWithSandbox(command))
    assert.equal(await running.fetch(), '200')
    SandboxManager.updateConfig(config({ disabled: true }))
    assert.equal(await running.fetch(), '200')
    await running.end()
    const later = start(await SandboxManager.wrapWithSandbox(command))
    assert.notEqual(await later.fetch(), '200')
    await later.end()
    assert.deepEqual(
      readdirSync(path.join(session(), readdirSync(session())[0])).filter(name => /updates/.test(name)), [])
  }))

test('updateConfig leaves files to what is wrapped later', async () => {
  await SandboxManager.initialize(config())
  const line = await SandboxManager.wrapWithSandbox('echo x > kept/file')
  SandboxManager.updateConfig(config({ denyWrite: ['kept'] }))
  const run = bare(line)
  assert.deepEqual([run.status, run.stderr], [0, ''])
  assert.notEqual((await penned('echo x > kept/file')).status, 0)
})

test('without initialize nothing is allowed', () => {
  const program = `
    import { spawnSync } from 'node:child_process'
    import { SandboxManager } from ${JSON.stringify(path.join(here, '../index.js'))}
    const line = await SandboxManager.wrapWithSandbox('echo y > new')
    process.exitCode = spawnSync(line, { shell: true, stdio: 'inherit' }).status`
  assert.equal(bare('echo x > new').status, 0)
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  assert.equal(run.status, 1)
  assert.match(run.stderr, /new: (Permission denied|Read-only)/)
  assert.equal(readFileSync('new', 'utf8'), 'x\n')
})

test('the environment of the shell passes, but for credentials', async () => {
  await SandboxManager.initialize(
    config({}, {}, { credentials: { envVars: [{ name: 'B', mode: 'deny' }] } }),
  )
  const run = await penned('echo $A-$B', { env: { ...process.env, A: '1', B: '2' } })
  assert.equal(run.stdout, '1-\n')
})

test('paths start where this process is, not where the command runs', async () => {
  await SandboxManager.initialize(config({ allowWrite: ['out'], denyRead: ['kept'] }))
  mkdirSync('out')
  mkdirSync('elsewhere/out', { recursive: true })
  const options = { cwd: path.resolve('elsewhere') }
  assert.equal((await penned('echo x > ../out/f', options)).status, 0)
  assert.notEqual((await penned('echo x > out/f', options)).status, 0)
  assert.notEqual((await penned('cat ../kept/file', options)).status, 0)
})

test('a directory may have the characters of patterns in its name', async () => {
  mkdirSync('a[b]*/d', { recursive: true })
  writeFileSync('a[b]*/d/f', 'f')
  process.chdir('a[b]*')
  await SandboxManager.initialize(config({ denyRead: ['d'], denyWrite: ['kept'] }))
  assert.equal(bare('cat d/f').status, 0)
  assert.notEqual((await penned('cat d/f')).status, 0)
  assert.equal((await penned('echo x > new && cat new')).stdout, 'x\n')
})

test('any command arrives as it is', async () => {
  await SandboxManager.initialize(config())
  for (const text of [`it's`, '"', '$HOME', '`id`', '\\', 'a\nb', '!!', '*', ';', '#']) {
    const command = `printf %s '${text.replaceAll("'", `'\\''`)}'`
    assert.equal((await penned(command)).stdout, text)
  }
})

// ---- configurations ---------------------------------------------------------------------------

const bad = [
  ['no object', 1, /must be an object/],
  ['nothing in it', {}, /network: is required/],
  ['a list that is missing', { ...config(), filesystem: {} }, /filesystem\.denyRead: is required/],
  ['a string for a list', config({ denyRead: 'x' }), /filesystem\.denyRead: must be a list/],
  ['a number in a list', config({ denyRead: [1] }), /filesystem\.denyRead\[0\]: must be a string/],
  ['an empty path', config({ allowWrite: [''] }), /filesystem\.allowWrite\[0\]/],
  ['a URL for a host', config({}, { allowedDomains: ['https://a.com'] }), /allowedDomains\[0\]/],
  ['every host', config({}, { allowedDomains: ['*'] }), /network\.allowedDomains\[0\]/],
  ['a port that is none', config({}, { httpProxyPort: 70000 }), /httpProxyPort: is out of range/],
  ['interception', config({}, { tlsTerminate: {} }), /network\.tlsTerminate: asks for TLS/],
  [
    'a mask',
    config({}, {}, {
      credentials: { envVars: [{ name: 'A', mode: 'mask' }], allowPlaintextInject: true },
    }),
    /credentials\.envVars\[0\]: mode mask/,
  ],
  ['a function', config({}, { filterRequest: () => {} }), /network\.filterRequest/],
]

for (const [what, given, expected] of bad) {
  test(`refused: ${what}`, async () => {
    await assert.rejects(SandboxManager.initialize(given), expected)
    assert.equal(SandboxRuntimeConfigSchema.safeParse(given).success, false)
    await SandboxManager.initialize(config())
    assert.throws(() => SandboxManager.updateConfig(given), expected)
    assert.deepEqual(SandboxManager.getConfig(), config())
    assert.equal((await penned('echo x > new && cat new')).stdout, 'x\n')
  })
}

test('a bad configuration of one call is refused', async () => {
  await SandboxManager.initialize(config())
  await assert.rejects(penned('true', { custom: { filesystem: { denyRead: [1] } } }), /denyRead\[0\]/)
  await assert.rejects(
    penned('true', { custom: { network: { filterRequest() {} } } }),
    /filterRequest/,
  )
})

test('what changes nothing is a warning', async () => {
  await SandboxManager.initialize(
    config({ denyReads: [] }, {}, { enableWeakerNestedSandbox: true }),
    async () => true,
  )
  await tick()
  const texts = warnings.map(warning => warning.message).join('\n')
  assert.match(texts, /filesystem\.denyReads: unknown key, ignored; did you mean 'denyRead'/)
  assert.match(texts, /enableWeakerNestedSandbox: is not needed/)
  assert.match(texts, /sandboxAskCallback is never called/)
  assert.ok(warnings.every(warning => warning.code === 'LANDPEN_SRT_SHIM'))
})

test('a configuration that is right is no warning', async () => {
  await SandboxManager.initialize(config())
  await tick()
  assert.deepEqual(warnings, [])
})

test('a second initialize changes nothing until reset', async () => {
  await SandboxManager.initialize(config())
  await SandboxManager.initialize(config({ allowWrite: [] }))
  assert.deepEqual(SandboxManager.getConfig(), config())
  await SandboxManager.reset()
  await SandboxManager.initialize(config({ allowWrite: [] }))
  assert.deepEqual(SandboxManager.getConfig(), config({ allowWrite: [] }))
})

test('without landpen', async () => {
  const real = process.env.LANDPEN
  process.env.LANDPEN = '/nonexistent/landpen'
  try {
    assert.match(SandboxManager.checkDependencies().errors[0], /landpen not found/)
    assert.match((await SandboxManager.checkDependenciesAsync()).errors[0], /landpen not found/)
    await assert.rejects(SandboxManager.initialize(config()), /dependencies not available: landpen/)
    await assert.rejects(SandboxManager.wrapWithSandbox('true'), /landpen not found/)
  } finally {
    process.env.LANDPEN = real
  }
  assert.deepEqual(SandboxManager.checkDependencies(), { errors: [], warnings: [] })
})

test('a signal that has fired', () =>
  assert.rejects(
    SandboxManager.wrapWithSandbox('true', undefined, undefined, AbortSignal.abort()),
    { name: 'AbortError' },
  ))

test('getters', async () => {
  assert.deepEqual(SandboxManager.getFsReadConfig(), { denyOnly: [], allowWithinDeny: [] })
  await SandboxManager.initialize(
    config({ denyRead: ['~/hidden', 'x/'], allowRead: ['x/y'], denyWrite: ['/z'] }),
  )
  assert.deepEqual(SandboxManager.getFsReadConfig(), {
    denyOnly: [path.join(home, 'hidden'), path.resolve('x') + '/'],
    allowWithinDeny: [path.resolve('x/y')],
  })
  assert.deepEqual(SandboxManager.getFsWriteConfig(), {
    allowOnly: [...getDefaultWritePaths(), process.cwd()],
    denyWithinAllow: ['/z'],
  })
  assert.throws(() => SandboxManager.getSentinelRegistry(), /masks no credentials/)
  SandboxManager.updateConfig(config({ disabled: true }))
  assert.deepEqual(SandboxManager.getFsWriteConfig(), { allowOnly: ['/'], denyWithinAllow: [] })
})

// ---- files of the session ---------------------------------------------------------------------

test('no command may change what the next one is started with', async () => {
  await SandboxManager.initialize(config({ allowWrite: ['~', '.'] }))
  assert.equal((await penned('echo x > ~/new')).status, 0)
  const dir = path.join(session(), readdirSync(session())[0])
  const file = path.join(dir, readdirSync(dir).find(name => name.endsWith('.json')))
  for (const command of [
    `echo '{}' > ${file}`,
    `rm ${file}`,
    `mv ${dir} ${dir}x`,
    `touch ${dir}/new`,
    `echo '{}' >> ${file.replace('.json', '.updates')}`,
    `mv ${session()} ${home}/x`,
  ]) {
    assert.notEqual((await penned(command)).status, 0, command)
  }
  assert.equal(bare(`touch ${dir}/new`).status, 0)
})

test('no command may do so where the state is elsewhere', async () => {
  process.env.XDG_STATE_HOME = path.join(home, 'state')
  try {
    await SandboxManager.initialize(config({ allowWrite: ['~'] }))
    assert.equal((await penned('echo x > ~/new')).status, 0)
    const dir = path.join(home, 'state/landpen/srt-shim')
    const own = path.join(dir, readdirSync(dir)[0])
    assert.notEqual((await penned(`touch ${own}/new`)).status, 0)
    assert.equal(bare(`touch ${own}/new`).status, 0)
  } finally {
    delete process.env.XDG_STATE_HOME
  }
})

test('reset and exit leave nothing; what a killed program left goes with the next', async () => {
  const program = `
    import { SandboxManager } from ${JSON.stringify(path.join(here, '../index.js'))}
    await SandboxManager.initialize(${JSON.stringify(config())})
    await SandboxManager.wrapWithSandbox('true')
    if (process.argv[1] === 'kill') process.kill(process.pid, 'SIGKILL')`
  const run = word =>
    spawnSync(process.execPath, ['--input-type=module', '-e', program, ...word])
  assert.equal(run([]).status, 0)
  assert.deepEqual(readdirSync(session()), [])
  assert.equal(run(['kill']).signal, 'SIGKILL')
  assert.equal(readdirSync(session()).length, 1)
  await SandboxManager.initialize(config())
  assert.equal(readdirSync(session()).length, 1) // its own
  await SandboxManager.reset()
  assert.deepEqual(readdirSync(session()), [])
})

// ---- violations -------------------------------------------------------------------------------

test('violations have srt\'s lines, by the id of the command', async () => {
  await SandboxManager.initialize(
    config({}, { allowedDomains: ['a.example'], deniedDomains: ['b.example'],
      deniedDomainReasons: { 'b.example': 'use c' } }),
  )
  const heard = []
  const store = SandboxManager.getSandboxViolationStore()
  assert.ok(store instanceof SandboxViolationStore)
  store.clear()
  const stop = store.subscribe(violations => heard.push(violations.length))
  await penned('curl -s http://b.example/', { wrap: { commandId: 'one', commandText: 'my curl' } })
  await penned('curl -s http://c.example:8080/')
  await penned('true', { wrap: { commandId: 'three' } })
  const block = line => `err\n<sandbox_violations>\n${line}\n</sandbox_violations>`
  const annotate = SandboxManager.annotateStderrWithSandboxFailures
  assert.equal(annotate('one', 'err'), block('deny network-outbound b.example:80 (use c)'))
  assert.equal(
    annotate('curl -s http://c.example:8080/', 'err'),
    block('deny network-outbound c.example:8080 (host is not on the allow list)'),
  )
  assert.equal(annotate('three', 'err'), 'err')
  assert.equal(store.getViolations(2)[0].command, 'my curl')
  assert.deepEqual(heard, [0, 1, 2])
  stop()
})

test('ignoreViolations', async () => {
  await SandboxManager.initialize(
    config({}, { allowedDomains: ['a.example'] }, { ignoreViolations: { curl: ['c.example'] } }),
  )
  await penned('curl -s http://c.example/; curl -s http://d.example/')
  const text = SandboxManager.annotateStderrWithSandboxFailures(
    'curl -s http://c.example/; curl -s http://d.example/', '')
  assert.match(text, /d\.example/)
  assert.doesNotMatch(text, /c\.example/)
})

for (const monitor of [false, true]) {
  test(`changes of files are told: ${monitor}`, async () => {
    await SandboxManager.initialize(config({ denyWrite: ['kept'] }), undefined, monitor)
    assert.notEqual((await penned('rm kept/file')).status, 0)
    const text = SandboxManager.annotateStderrWithSandboxFailures('rm kept/file', '')
    assert.equal(/deny .*kept\/file/.test(text), monitor, text)
  })
}

test('no line ends the block early', () => {
  const store = new SandboxViolationStore()
  store.addViolation({ line: 'deny </sandbox_violations>\n\x1b[2J x', timestamp: new Date() })
  assert.equal(store.getViolations()[0].line, 'deny /sandbox_violations [2J x')
  for (let i = 0; i < 150; i++) {
    store.addViolation({ line: `${i}`, timestamp: new Date() })
  }
  assert.deepEqual([store.getCount(), store.getTotalCount()], [100, 151])
})

// ---- as srt -----------------------------------------------------------------------------------

const skip = existsSync(srtPackage) ? false : `${srtPackage} is not there`

test('the manager has what srt\'s has, and its types say so', { skip }, async () => {
  const real = await import(path.join(realpathSync(srtPackage), 'dist/index.js'))
  const names = Object.keys(real.SandboxManager).sort()
  const typed = /interface ISandboxManager \{([^]*?)\n\}/.exec(
    readFileSync(path.join(here, '../index.d.ts'), 'utf8'))[1]
  assert.deepEqual(Object.keys(SandboxManager).sort(), names)
  assert.deepEqual([...typed.matchAll(/^ {2}(\w+)\(/gm)].map(match => match[1]).sort(), names)
})

test('a program prints the same with srt\'s package and with the shim', { skip }, async () => {
  const server = http.createServer((request, response) => response.end('hello'))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const outputs = []
  for (const [name, target] of Object.entries({ srt: srtPackage, shim: path.join(here, '..') })) {
    const own = newHome()
    const dir = path.dirname(own)
    mkdirSync(path.join(dir, 'node_modules/@anthropic-ai'), { recursive: true })
    symlinkSync(realpathSync(target), path.join(dir, 'node_modules/@anthropic-ai/sandbox-runtime'))
    copyFileSync(path.join(here, 'embedder.mjs'), path.join(dir, 'embedder.mjs'))
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(dir, 'embedder.mjs')], {
      cwd: path.join(own, 'p'),
      timeout: 120000,
      env: { ...process.env, HOME: own, TMPDIR: '/tmp', SERVER: `${server.address().port}`, PASSED: 'yes',
        TOKEN: 'secret' },
    })
    outputs.push(stdout.replaceAll(dir, 'DIR').split('\n'))
    assert.ok(outputs.at(-1).length > 30, `${name} printed little`)
  }
  server.close()
  assert.deepEqual(outputs[1], outputs[0])
})
