import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLogOutput } from '../../../src/observe/log/output.ts'
import { createLog } from '../../../src/observe/log.ts'

let folder = ''
let opened: number[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ftp-alg-log-'))
  opened = []
})
afterEach(() => {
  for (const fd of opened) closeSync(fd)
  rmSync(folder, { recursive: true })
})

function open(path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  opened.push(fd)
  return fd
}

/** Both ends of a pipe; what is written may block the writing thread, as it does with a real standard output. */
function openPipe(): { readonly reader: number; readonly writer: number } {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return { reader, writer: open(path, 'w') }
}

/** The pipe takes nothing more, so whoever writes next is stuck until somebody reads. Gives what it is full of. */
function fillPipe(): string {
  const fd = open(join(folder, 'pipe'), constants.O_WRONLY | constants.O_NONBLOCK)
  const block = '#'.repeat(4096)
  for (let filling = ''; ; filling += block) {
    try {
      // So much is written at once or not at all.
      writeSync(fd, block)
    } catch (error) {
      expect(error).toMatchObject({ code: 'EAGAIN' })
      return filling
    }
  }
}

function outputTo(fd: number, maxWaitingBytes?: number) {
  const lost: number[] = []
  const recovered: [number, string][] = []
  const output = createLogOutput({
    fd,
    ...(maxWaitingBytes === undefined ? {} : { maxWaitingBytes }),
    lost: (lines) => lost.push(lines),
    recovered: (lines, reason) => recovered.push([lines, reason]),
  })
  return { output, lost, recovered }
}

describe('log lines', () => {
  test('arrive in order, whole, however many there are', async () => {
    const path = join(folder, 'log')
    const { output, lost } = outputTo(open(path, 'a'))
    const lines = Array.from({ length: 20_000 }, (_, n) => `{"n":${n},"text":"äöü"}\n`)
    for (const line of lines) output.write(line)
    await output.drain(5000)
    expect(readFileSync(path, 'utf8')).toBe(lines.join(''))
    expect(lost).toEqual([])
  })

  test('that wait when the process ends are written at once', () => {
    const path = join(folder, 'log')
    const { output } = outputTo(open(path, 'a'))
    output.write('{"n":1}\n')
    output.write('{"n":2}\n')
    output.flush()
    expect(readFileSync(path, 'utf8')).toBe('{"n":1}\n{"n":2}\n')
  })

  test('are written without anybody asking, soon after', async () => {
    const { reader, writer } = openPipe()
    const { output } = outputTo(writer)
    output.write('{"n":1}\n')
    await expect.poll(() => readAvailable(reader)).toBe('{"n":1}\n')
  })
})

test('lines of two writers to one pipe are not mixed, however slow its reader', async () => {
  const { reader, writer } = openPipe()
  const lost: number[] = []
  const count = 3000
  const outputs = [writer, open(join(folder, 'pipe'), 'w')].map((fd) =>
    createLogOutput({ fd, isShared: true, lost: (lines) => lost.push(lines), recovered: () => undefined }),
  )
  const line = (writer: number, nth: number) =>
    `{"writer":${writer},"nth":${nth},"text":"${'ä'.repeat(nth % 200)}"}\n`
  for (const [writer, output] of outputs.entries()) {
    for (let nth = 0; nth < count; nth += 1) output.write(line(writer, nth))
  }
  const text = await readUntil(reader, (soFar) => soFar.split('\n').length > 2 * count)
  const written = text.split('\n').slice(0, -1)
  for (const writer of [0, 1]) {
    const own = written.filter((each) => each.startsWith(`{"writer":${writer},`))
    expect(own).toEqual(Array.from({ length: count }, (_, nth) => line(writer, nth).trimEnd()))
  }
  expect(lost).toEqual([])
})

test('a line longer than a pipe takes at once arrives all the same, in its place', async () => {
  const path = join(folder, 'log')
  const lines = ['short\n', `${'long'.repeat(5000)}\n`, 'ä\n', `${'y'.repeat(4095)}\n`, 'end\n']
  const fd = open(path, 'a')
  const output = createLogOutput({ fd, isShared: true, lost: () => undefined, recovered: () => undefined })
  for (const each of lines) output.write(each)
  await output.drain(5000)
  // Fewer than a write of their own is worth: what is on its way already might come after what is flushed.
  const last = ['the last\n', 'words\n']
  for (const each of last) output.write(each)
  output.flush()
  await output.drain(5000)
  expect(readFileSync(path, 'utf8')).toBe([...lines, ...last].join(''))
})

describe('an output that cannot be written', () => {
  test('costs lines and nothing else: a full disk', async () => {
    const { output, lost } = outputTo(open('/dev/full', 'w'))
    output.write('{"n":1}\n')
    output.write('{"n":2}\n')
    await expect.poll(() => lost).toEqual([2])
    output.write('{"n":3}\n')
    output.flush()
    expect(lost).toEqual([2, 1])
  })

  test('costs lines and nothing else: a reader that is gone', async () => {
    const { reader, writer } = openPipe()
    closeSync(reader)
    opened = opened.filter((fd) => fd !== reader)
    const { output, lost } = outputTo(writer)
    output.write('{"n":1}\n')
    await expect.poll(() => lost).toEqual([1])
  })

  test('costs lines and nothing else: a descriptor that was closed', async () => {
    const { output, lost } = outputTo(987)
    output.write('{"n":1}\n')
    await expect.poll(() => lost).toEqual([1])
    output.write('{"n":2}\n')
    output.flush()
    expect(lost).toEqual([1, 1])
  })

  test('does not hold up the process while its reader is stuck, and says afterwards what was lost', async () => {
    const { reader, writer } = openPipe()
    const filling = fillPipe()
    const { output, lost, recovered } = outputTo(writer, 200_000)
    const line = `${'x'.repeat(999)}\n`
    for (let n = 0; n < 1000; n += 1) {
      output.write(line)
      if (n % 100 === 0) await new Promise(setImmediate)
    }
    const taken = 1000 - lost.reduce((sum, lines) => sum + lines, 0)
    // The first chunk is under way, 17 lines of it, and 200,000 characters wait.
    expect(taken).toBe(217)
    expect(recovered).toEqual([])

    const enough = filling.length + line.length * taken
    const text = await readUntil(reader, (soFar) => soFar.length >= enough)
    expect(text).toBe(filling + line.repeat(taken))
    expect(recovered).toEqual([[1000 - taken, 'slow reader']])
  })

  test('bounds what waits in bytes, whatever the characters', () => {
    const { output, lost } = outputTo(open(join(folder, 'log'), 'a'), 10)
    output.write('ääää\n')
    output.write('a\n')
    expect(lost).toEqual([1])
    output.flush()
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('ääää\n')
  })

  test('tells of the loss though no other line comes, and again when that line was lost too', async () => {
    const { reader, writer } = openPipe()
    closeSync(reader)
    opened = opened.filter((fd) => fd !== reader)
    let told = 0
    const output = createLogOutput({
      fd: writer,
      lost: () => undefined,
      recovered: (lines) => {
        told += 1
        output.write(`lost ${lines}\n`)
      },
    })
    output.write('one\n')
    output.write('two\n')
    // The line that tells it goes the way of the others.
    await expect.poll(() => told, { timeout: 5000 }).toBe(1)
    await output.drain(1000)
    const back = open(join(folder, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
    expect(await readUntil(back, (soFar) => soFar.endsWith('\n'))).toBe('lost 2\n')
  })

  test('is made good by a line that says how many are missing', async () => {
    const { reader, writer } = openPipe()
    const filling = fillPipe()
    let lost = 0
    const log = createLog({
      level: 'info',
      format: 'json',
      output: writer,
      lost: (_reason, lines) => {
        lost += lines
      },
    })
    for (let n = 0; n < 20_000; n += 1) {
      log.log('process.start', { version: 'x'.repeat(256) })
      if (n % 100 === 0) await new Promise(setImmediate)
    }
    expect(lost).toBeGreaterThan(1000)
    const text = await readUntil(reader, (soFar) => soFar.includes('log.lose') && soFar.endsWith('\n'))
    expect(text.slice(0, filling.length)).toBe(filling)
    expect(text.match(/"event":"log.lose","count":\d+,"reason":"[^"]*"/g)).toEqual([
      `"event":"log.lose","count":${lost},"reason":"slow reader"`,
    ])
    await log.close()
  })
})

function readAvailable(fd: number): string {
  const buffer = Buffer.alloc(1 << 20)
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch {
    // EAGAIN: nothing there yet.
    return ''
  }
}

async function readUntil(fd: number, isEnough: (soFar: string) => boolean): Promise<string> {
  let text = ''
  while (!isEnough(text)) {
    text += readAvailable(fd)
    await new Promise(setImmediate)
  }
  return text
}
