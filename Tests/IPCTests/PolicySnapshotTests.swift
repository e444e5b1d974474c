import CLinux
import FoundationEssentials
import Glibc
import Testing

@testable import IPC

@Suite("Sealed policy snapshot")
struct PolicySnapshotTests {
    private static let allSeals: Int32 = 23  // SEAL, SHRINK, GROW, FUTURE_WRITE
    private static let addSeals: Int32 = 1033

    private func full(_ index: Int) -> PolicySnapshot.Host {
        var capabilities = PolicySnapshot.Capabilities()
        capabilities.exec = index & 1 == 0
        capabilities.fileRead = index & 2 == 0
        capabilities.fileWrite = index & 4 == 0
        capabilities.portForward = index & 8 == 0
        return PolicySnapshot.Host(
            name: "host \(index) \"é\"\n", socket: "/run/user/1000/ssh-\(index).sock", user: "user\(index)",
            host: "h\(index).example.com", baseDir: index % 3 == 0 ? nil : "/srv/\(index)",
            execAllowlist: index % 3 == 0 ? nil : index % 3 == 1 ? [] : ["git ", "make \u{1E}"],
            capabilities: capabilities)
    }

    private func snapshot(hosts: Int) -> PolicySnapshot {
        var limits = PolicySnapshot.Limits()
        limits.maxOutputBytes = 1
        limits.maxRequestBytes = 2
        limits.sessionsPerHost = 3
        limits.maxTimeoutSeconds = 4
        return PolicySnapshot(
            hosts: (0..<hosts).map(full), defaultHost: "host 0", sshPath: "/opt/ssh", limits: limits, allowDelete: true,
            requireLandlock: false)
    }

    /// A memfd with these bytes and seals, fcntl(2).
    private func memory(_ bytes: [UInt8], seals: Int32) throws -> OwnedFD {
        let memory = OwnedFD(taking: csd_memfd_create("test"))
        #expect(write(memory.rawValue, bytes, bytes.count) == bytes.count)
        if seals != 0 { #expect(fcntl(memory.rawValue, Self.addSeals, seals) == 0) }
        return memory
    }

    private func refusal(of memory: borrowing OwnedFD) -> IPCError? {
        do throws(IPCError) {
            _ = try PolicySnapshot(sealed: memory)
            return nil
        } catch {
            return error
        }
    }

    private func json() throws -> [UInt8] { Array(try JSONEncoder().encode(snapshot(hosts: 3))) }

    @Test(arguments: [0, 1, 24, 5000])
    func `a snapshot comes back as it was`(hosts: Int) throws {
        let original = snapshot(hosts: hosts)
        let memory = try original.sealed()
        #expect(try PolicySnapshot(sealed: memory) == original)
        // It is read where it lies, so every worker can read the same one.
        #expect(try PolicySnapshot(sealed: memory) == original)
    }

    @Test func `hosts are kept in name order`() {
        let hosts = ["b", "a", "C", "a1"].map { PolicySnapshot.Host(name: $0, socket: "/s", user: "u", host: "h") }
        #expect(PolicySnapshot(hosts: hosts, defaultHost: "a").hosts.map(\.name) == ["C", "a", "a1", "b"])
    }

    @Test func `what is off unless said is off`() {
        let host = PolicySnapshot.Host(name: "a", socket: "/s", user: "u", host: "h")
        #expect(!host.capabilities.exec && !host.capabilities.fileRead)
        #expect(!host.capabilities.fileWrite && !host.capabilities.portForward)
        let policy = PolicySnapshot(hosts: [host], defaultHost: "a")
        #expect(!policy.allowDelete)
        #expect(policy.requireLandlock)
        #expect(policy.sshPath == "/usr/bin/ssh")
        #expect(policy.limits.maxOutputBytes == 1_048_576)
        #expect(policy.limits.maxRequestBytes == 16_777_216)
        #expect(policy.limits.sessionsPerHost == 8)
        #expect(policy.limits.maxTimeoutSeconds == 600)
    }

    @Test func `nobody can change a sealed snapshot any more, not its maker either`() throws {
        let memory = try snapshot(hosts: 1).sealed()
        var byte: UInt8 = 0
        #expect(pwrite(memory.rawValue, &byte, 1, 0) == -1)
        #expect(ftruncate(memory.rawValue, 0) == -1)
        #expect(ftruncate(memory.rawValue, 1 << 20) == -1)
        for descriptor in [memory.rawValue, open("/proc/self/fd/\(memory.rawValue)", O_RDWR)] {
            #expect(mmap(nil, 1, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0) == MAP_FAILED)
            #expect(pwrite(descriptor, &byte, 1, 0) == -1)
            if descriptor != memory.rawValue { close(descriptor) }
        }
        #expect(fcntl(memory.rawValue, Self.addSeals, Int32(0)) == -1, "sealing itself is over")
        #expect(fcntl(memory.rawValue, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `memory with any seal missing is refused`() throws {
        let bytes = try json()
        #expect(refusal(of: try memory(bytes, seals: Self.allSeals)) == nil)
        for missing in [1, 2, 4, 16] as [Int32] {
            #expect(refusal(of: try memory(bytes, seals: Self.allSeals & ~missing)) == .badValue)
        }
        #expect(refusal(of: try memory(bytes, seals: 0)) == .badValue)
    }

    @Test func `what is no memfd is refused`() throws {
        #expect(refusal(of: OwnedFD(taking: open("/dev/null", O_RDONLY | O_CLOEXEC))) == .badValue)
        #expect(refusal(of: OwnedFD(taking: open("/proc/self/status", O_RDONLY | O_CLOEXEC))) == .badValue)
        #expect(refusal(of: try TestPipe().reader) == .badValue)
        #expect(refusal(of: OwnedFD(taking: -1)) == .badValue)
    }

    @Test func `empty memory is refused`() throws {
        #expect(refusal(of: try memory([], seals: Self.allSeals)) == .tooLong(0))
    }

    @Test func `memory over the limit is refused before it is read`() throws {
        let memory = OwnedFD(taking: csd_memfd_create("test"))
        let size = PolicySnapshot.maximumSize + 1
        #expect(ftruncate(memory.rawValue, off_t(size)) == 0)
        #expect(csd_memfd_seal(memory.rawValue) == 0)
        #expect(refusal(of: memory) == .tooLong(size))
    }

    @Test func `JSON cut short, or of another shape, is refused`() throws {
        let bytes = try json()
        for length in [1, 2, bytes.count / 2, bytes.count - 1] {
            #expect(refusal(of: try memory(Array(bytes[..<length]), seals: Self.allSeals)) == .badValue)
        }
        for text in ["{}", "[]", "null", "{\"hosts\":1}", "x", "\u{0}", String(repeating: "[", count: 5000)] {
            #expect(refusal(of: try memory(Array(text.utf8), seals: Self.allSeals)) == .badValue)
        }
        #expect(refusal(of: try memory(bytes + bytes, seals: Self.allSeals)) == .badValue)
        #expect(refusal(of: try memory([0xFF] + bytes, seals: Self.allSeals)) == .badValue)
    }
}
