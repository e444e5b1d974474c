import CLinux
import Foundation
import Glibc
import Synchronization
import Testing
import TestSupport

/// umount2(2), which the module does not have.
@_silgen_name("umount2") private func umount2(_ target: UnsafePointer<CChar>, _ flags: Int32) -> Int32

/// A file system of this process (fuse(4), root only) that answers like a plain directory of files, until it is told to hang.
///
/// It has no unnamed files, so that new files have a temporary name. Whoever waits for it while it hangs is in state D once the
/// request was taken, and lives on after SIGKILL.
final class HangingFileSystem: Sendable {
    /// Requests by their kind; fuse_kernel.h.
    enum Operation: UInt32, CaseIterable, Sendable {
        case lookup = 1, forget, getattr, setattr
        case mknod = 8, mkdir, unlink, rmdir, rename, link
        case open, read, write, statfs, release
        case fsync = 20
        case getxattr = 22, listxattr = 23
        case flush = 25, initialize
        case opendir, readdir, releasedir
        case access = 34, create, interrupt
        case destroy = 38
        case batchForget = 42
        case rename2 = 45
        case tmpfile = 51
        case statx = 52
    }

    /// Whether this machine lets this process have one.
    static var isAvailable: Bool { geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0 }

    private struct Request {
        let operation: UInt32
        let unique: UInt64
        let node: UInt64
        let body: [UInt8]
    }

    private struct State {
        var names: [String: UInt64] = [:]
        var contents: [UInt64: [UInt8]] = [:]
        var nextNode: UInt64 = 2
        var silent: Set<Operation> = []
        var held: [Request] = []
    }

    let path: String
    private let mountPoint: TemporaryDirectory
    private let device: Int32
    private let wake: DescriptorPipe
    private let state = Mutex(State())
    private let isMounted = Mutex(true)

    /// Mounted at a new directory.
    convenience init() throws { try self.init(at: TemporaryDirectory(readableByAll: true)) }

    /// Mounted at a directory, whose owner it leaves alone.
    init(at mountPoint: TemporaryDirectory) throws {
        self.mountPoint = mountPoint
        path = mountPoint.path
        wake = try DescriptorPipe()
        device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)
        guard device >= 0 else { throw HarnessError("/dev/fuse: \(errnoText())") }
        let options = "fd=\(device),rootmode=40000,user_id=0,group_id=0,allow_other"
        guard mount("csd-test", path, "fuse", UInt(MS_NOSUID | MS_NODEV), options) == 0 else {
            throw HarnessError("mount: \(errnoText())")
        }
        let thread = Thread { [weak self, device, wake] in
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                var waiting = [
                    pollfd(fd: device, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0),
                ]
                guard poll(&waiting, 2, -1) > 0 else { continue }
                if waiting[1].revents != 0 { break }
                let count = Glibc.read(device, &buffer, buffer.count)
                if count < 0, errno == ENODEV { break }
                guard count >= 40, let self else {
                    if count < 0 { continue }
                    break
                }
                self.take(Array(buffer[..<count]))
            }
            // What waits for an answer gets an error from here on.
            close(device)
            close(wake.readEnd)
        }
        thread.start()
    }

    deinit { unmount() }

    /// Answers no request of these kinds from now on, nor any other in the meantime where none is named.
    func hang(_ operations: Set<Operation> = Set(Operation.allCases)) {
        state.withLock { $0.silent = operations.subtracting([.initialize, .forget, .batchForget, .interrupt]) }
    }

    /// Answers all that waits, and whatever comes.
    func resume() {
        let held = state.withLock { state in
            state.silent = []
            defer { state.held = [] }
            return state.held
        }
        for request in held { answer(request) }
    }

    /// Requests that it has taken and not answered.
    var heldCount: Int { state.withLock { $0.held.count } }

    /// Ends it: who waits gets an error.
    func unmount() {
        guard
            isMounted.withLock({ was in
                defer { was = false }; return was
            })
        else { return }
        _ = umount2(path, 2)  // MNT_DETACH
        close(wake.writeEnd)
    }

    func put(_ name: String, _ content: String) {
        state.withLock { state in
            state.names[name] = state.nextNode
            state.contents[state.nextNode] = Array(content.utf8)
            state.nextNode += 1
        }
    }

    func content(_ name: String) -> String? {
        state.withLock { state in
            state.names[name].flatMap { state.contents[$0] }.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    var names: [String] { state.withLock { $0.names.keys.sorted() } }

    // MARK: The protocol

    private func take(_ packet: [UInt8]) {
        func number<Value: FixedWidthInteger>(_ offset: Int, _: Value.Type) -> Value {
            packet[offset..<offset + MemoryLayout<Value>.size].reversed().reduce(0) { $0 << 8 | Value($1) }
        }
        let request = Request(
            operation: number(4, UInt32.self), unique: number(8, UInt64.self), node: number(16, UInt64.self),
            body: Array(packet[40...]))
        let isHeld = state.withLock { state in
            guard let operation = Operation(rawValue: request.operation), state.silent.contains(operation) else {
                return false
            }
            state.held.append(request)
            return true
        }
        if !isHeld { answer(request) }
    }

    private func answer(_ request: Request) {
        switch Operation(rawValue: request.operation) {
        case .forget, .batchForget, .interrupt, .destroy: return
        default: break
        }
        let reply = state.withLock { Self.reply(to: request, &$0) }
        var packet = Bytes()
        switch reply {
        case .failure(let code):
            packet.put(UInt32(16))
            packet.put(UInt32(bitPattern: -code.rawValue))
            packet.put(request.unique)
        case .success(let body):
            packet.put(UInt32(16 + body.bytes.count))
            packet.put(UInt32(0))
            packet.put(request.unique)
            packet.bytes += body.bytes
        }
        _ = Glibc.write(device, packet.bytes, packet.bytes.count)
    }

    private struct Bytes {
        var bytes: [UInt8] = []
        mutating func put<Value: FixedWidthInteger>(_ value: Value) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
    }

    private struct Code: Error { let rawValue: Int32 }

    private static func reply(to request: Request, _ state: inout State) -> Result<Bytes, Code> {
        func failure(_ code: Int32) -> Result<Bytes, Code> { .failure(Code(rawValue: code)) }
        func number(_ offset: Int) -> UInt64 {
            request.body[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        func names(from offset: Int) -> [String] {
            request.body[offset...].split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        }
        var body = Bytes()
        switch Operation(rawValue: request.operation) {
        case .initialize:
            body.put(UInt32(7))
            body.put(UInt32(31))
            body.put(UInt32(0))
            body.put(UInt32(0))
            body.put(UInt32(0x000C_0010))
            body.put(UInt32(131_072))
            body.put(UInt32(1))
            body.bytes += [UInt8](repeating: 0, count: 36)
        case .lookup:
            guard let node = names(from: 0).first.flatMap({ state.names[$0] }) else { return failure(ENOENT) }
            entry(node, state, &body)
        case .getattr, .setattr:
            guard request.node == 1 || state.contents[request.node] != nil else { return failure(ENOENT) }
            body.put(UInt64(0))
            body.put(UInt64(0))
            attributes(request.node, state, &body)
        case .open, .opendir:
            body.bytes += [UInt8](repeating: 0, count: 16)
        case .create:
            guard let name = names(from: 16).first, state.names[name] == nil else { return failure(EEXIST) }
            state.names[name] = state.nextNode
            state.contents[state.nextNode] = []
            entry(state.nextNode, state, &body)
            state.nextNode += 1
            body.bytes += [UInt8](repeating: 0, count: 16)
        case .read:
            let content = state.contents[request.node] ?? []
            let start = min(Int(number(8)), content.count)
            body.bytes += content[start...].prefix(Int(UInt32(truncatingIfNeeded: number(16))))
        case .write:
            let size = Int(UInt32(truncatingIfNeeded: number(16)))
            let end = Int(number(8)) + size
            var content = state.contents[request.node] ?? []
            if content.count < end { content += [UInt8](repeating: 0, count: end - content.count) }
            content.replaceSubrange(Int(number(8))..<end, with: request.body[40..<40 + size])
            state.contents[request.node] = content
            body.put(UInt32(size))
            body.put(UInt32(0))
        case .link:
            guard let name = names(from: 8).first, state.names[name] == nil else { return failure(EEXIST) }
            state.names[name] = number(0)
            entry(number(0), state, &body)
        case .unlink:
            guard let name = names(from: 0).first, state.names.removeValue(forKey: name) != nil else {
                return failure(ENOENT)
            }
        case .rename, .rename2:
            let pair = names(from: request.operation == Operation.rename.rawValue ? 8 : 16)
            guard pair.count == 2, let node = state.names.removeValue(forKey: pair[0]) else { return failure(ENOENT) }
            state.names[pair[1]] = node
        case .statfs:
            for value in [1 << 20, 1 << 19, 1 << 19, 1000, 1000] as [UInt64] { body.put(value) }
            for value in [4096, 255, 4096, 0, 0, 0, 0, 0, 0, 0] as [UInt32] { body.put(value) }
        case .release, .fsync, .flush, .releasedir: break
        case .readdir: break
        case .mknod, .mkdir, .rmdir, .getxattr, .listxattr, .access, .tmpfile, .statx, .none: return failure(ENOSYS)
        case .forget, .interrupt, .destroy, .batchForget: break
        }
        return .success(body)
    }

    /// Nothing is to be kept by the kernel: every look is a request.
    private static func entry(_ node: UInt64, _ state: State, _ body: inout Bytes) {
        for value in [node, 0, 0, 0] as [UInt64] { body.put(value) }
        body.put(UInt64(0))
        attributes(node, state, &body)
    }

    private static func attributes(_ node: UInt64, _ state: State, _ body: inout Bytes) {
        let size = UInt64(state.contents[node]?.count ?? 0)
        for value in [node, size, size / 512 + 1, 1_000_000_000, 1_000_000_000, 1_000_000_000] { body.put(value) }
        let mode: UInt32 = node == 1 ? 0o040777 : 0o100666
        for value in [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0] as [UInt32] { body.put(value) }
    }
}
