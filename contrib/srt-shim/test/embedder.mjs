/*
 * A program that embeds srt, as it stands in srt's README. Run in a folder where
 * @anthropic-ai/sandbox-runtime is either srt's package or the shim; prints what came of each act, a
 * line of JSON each. SERVER is the port of a server on this machine's loopback.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

import { SandboxManager } from '@anthropic-ai/sandbox-runtime'

const config = {
  network: { allowedDomains: ['localhost'], deniedDomains: ['denied.example'] },
  filesystem: {
    denyRead: ['~/hidden', 'closed'],
    allowRead: ['closed/open'],
    allowWrite: ['.', '~/given'],
    denyWrite: ['kept', '.env'],
  },
  credentials: { envVars: [{ name: 'TOKEN', mode: 'deny' }] },
}

const say = (what, value) => console.log(JSON.stringify({ what, value }))

function run(line, { args = [], ...options } = {}) {
  return new Promise(resolve => {
    const child = spawn(line, args, { shell: true, stdio: 'pipe', ...options })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', data => (stdout += data))
    child.stderr.on('data', data => (stderr += data))
    child.stdin.end('from stdin\n')
    child.on('close', code => resolve({ code, stdout, stderr }))
  })
}

/* What is said on stderr differs; whether it worked, and what it printed, does not. */
async function act(what, command, ...more) {
  const { code, stdout } = await run(await SandboxManager.wrapWithSandbox(command, ...more))
  SandboxManager.cleanupAfterCommand()
  say(what, { code, stdout })
}

say('platform', SandboxManager.isSupportedPlatform())
say('enabled before', SandboxManager.isSandboxingEnabled())
say('errors', SandboxManager.checkDependencies().errors)
say('restrictions before', SandboxManager.getNetworkRestrictionConfig())
await SandboxManager.initialize(config)
say('enabled', SandboxManager.isSandboxingEnabled())
say('network is up', await SandboxManager.waitForNetworkInitialization())
say('restrictions', SandboxManager.getNetworkRestrictionConfig())
say('config', SandboxManager.getConfig())

await act('status', 'exit 7')
await act('quotes', `printf '%s|' "a b" 'it'"'"'s' \\$HOME '!x' *nothing*`)
await act('stdin', 'cat')
await act('several', 'echo one; echo two | tr o 0 && false')
await act('environment', 'echo "$PASSED ${TOKEN-none}"')
await act('directory', 'pwd')
await act('shell', 'echo "${0##*/}"', 'sh')
await act('not found', 'no-such-command-here')
await act('write', 'echo x > new && cat new')
await act('write a kept file', 'echo x > kept/file')
await act('write .env', 'echo x > .env')
await act('write elsewhere', 'echo x > ~/elsewhere')
await act('write where given', 'echo x > ~/given/new && cat ~/given/new')
await act('write a hook', 'echo x > .git/hooks/pre-commit')
await act('read', 'cat kept/file')
await act('read what is hidden', 'cat ~/hidden/key')
await act('read what is closed', 'cat closed/file')
await act('read what is open', 'cat closed/open/file')

// srt's proxy may not be there at first
const fetch = `curl -sf --retry 3 --retry-delay 1 --retry-connrefused --noproxy '' http://localhost:${process.env.SERVER}/ || echo refused`
await act('fetch', fetch)

await act('custom: read-only', 'echo x > new', undefined, {
  filesystem: { allowWrite: [], denyRead: [], denyWrite: [] },
})
await act('custom: hidden', 'cat kept/file', undefined, { filesystem: { denyRead: ['kept'] } })
await act('custom: open', 'cat ~/hidden/key', undefined, { filesystem: { denyRead: [] } })

SandboxManager.updateConfig({
  ...config,
  filesystem: { ...config.filesystem, denyWrite: [], denyRead: ['kept'] },
})
await act('updated: written', 'echo y > .env')
await act('updated: hidden', 'cat kept/file')
await act('updated: open', 'cat ~/hidden/key')

SandboxManager.updateConfig({ ...config, network: { allowedDomains: [], deniedDomains: [] } })
await act('updated: fetch', fetch)
SandboxManager.updateConfig(config)
await act('updated again: fetch', fetch)

// a command that runs meanwhile
const running = spawn(
  await SandboxManager.wrapWithSandbox(
    `while read -r line; do curl -s -o /dev/null -w '%{http_code}\\n' --retry 3 --retry-delay 1 --retry-connrefused --noproxy '' http://localhost:${process.env.SERVER}/; done`,
  ),
  { shell: true, stdio: ['pipe', 'pipe', 'ignore'] },
)
const statuses = createInterface({ input: running.stdout })[Symbol.asyncIterator]()
async function becomes(what, expected) {
  let status
  for (const until = Date.now() + 5000; status !== expected && Date.now() < until; ) {
    running.stdin.write('\n')
    status = (await statuses.next()).value
  }
  say(what, status)
}
await becomes('running: fetch', '200')
SandboxManager.updateConfig({ ...config, network: { allowedDomains: [], deniedDomains: [] } })
await becomes('running: closed', '403')
SandboxManager.updateConfig(config)
await becomes('running: open again', '200')
running.stdin.end()
await new Promise(resolve => running.on('close', resolve))

for (const [id, url] of [
  ['denied', 'http://denied.example/'],
  ['unknown', 'http://unknown.example:81/x'],
]) {
  await run(
    await SandboxManager.wrapWithSandbox(`curl -sf --retry 3 --retry-delay 1 --retry-connrefused ${url}`, undefined, undefined, undefined, {
      commandId: id,
      commandText: 'curl something',
    }),
  )
  say(`violations of ${id}`, SandboxManager.annotateStderrWithSandboxFailures(id, 'stderr'))
}
say(
  'violations',
  SandboxManager.getSandboxViolationStore()
    .getViolations()
    .filter(violation => violation.line.includes('example'))
    .map(violation => [violation.line, violation.command]),
)

const { argv, env } = await SandboxManager.wrapWithSandboxArgv('echo by argv')
const byArgv = await run(argv[0], { args: argv.slice(1), shell: false, env })
say('argv', [argv.length, argv[1], byArgv.code, byArgv.stdout])

try {
  await SandboxManager.wrapWithSandbox('true', 'no-such-shell')
} catch (error) {
  say('no shell', error.message)
}
say('nothing to annotate', SandboxManager.annotateStderrWithSandboxFailures('x', 'stderr'))
await SandboxManager.reset()
say('done', SandboxManager.isSandboxingEnabled())
