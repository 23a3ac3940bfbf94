// A line between the browser and a server, which can be cut: then what is open ends, and nothing new comes through.
import { connect, createServer } from 'node:net'

/** Opens a line to a server. `url` is its near end, the same after it was cut and mended. */
export async function openLine(server) {
  const far = new URL(server)
  const open = new Set()
  const keep = (socket) => {
    open.add(socket)
    // Each end tells the other by closing it.
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    return socket
  }
  const near = createServer((socket) => {
    const onward = keep(connect(Number(far.port), far.hostname))
    keep(socket).pipe(onward).pipe(socket)
    socket.on('close', () => onward.destroy())
    onward.on('close', () => socket.destroy())
  })
  const listen = (port) => new Promise((done, failed) => near.once('error', failed).listen(port, '127.0.0.1', done))
  await listen(0)
  const { port } = near.address()
  const cut = () => {
    near.close()
    for (const socket of open) socket.destroy()
  }
  return { url: `${far.protocol}//127.0.0.1:${port}`, cut, mend: () => listen(port) }
}
