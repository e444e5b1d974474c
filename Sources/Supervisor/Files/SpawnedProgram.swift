internal import Glibc
internal import IPC

/// A program of the daemon that was started, with the supervisor's channel to it and its standard error.
struct SpawnedProgram: ~Copyable {
    let pid: Int32
    /// Readable when the process has ended, pidfd_open(2).
    let pidfd: OwnedFD
    /// The supervisor's end of the channel. It does not block, and refuses descriptors.
    let channel: Channel
    /// The program's standard error. Reading it does not block.
    let log: OwnedFD

    /// Starts a program in which only these descriptors are open: /dev/null as 0 and 1, its standard error as 2, and as 3 and 4
    /// its channel to the supervisor and `other`; and `more`, if there is one, as 5.
    /// - Parameters:
    ///   - number: the number of the channel in the program, 3 or 4. `other` gets the other one.
    ///   - refused: set to the errno if the program could not be executed.
    init(
        _ program: String, channel number: Int, other: borrowing OwnedFD, more: borrowing OwnedFD? = nil,
        refused: inout Int32
    ) throws(IPCError) {
        var ends = try Channel.pair()
        guard let own = ends.nonBlocking.take(), let theirs = ends.blocking.take() else { throw .badValue }
        let channel = Channel(taking: own)
        // No program of the daemon sends the supervisor descriptors, see the messages of `IPC`.
        channel.refuseDescriptors()
        var pipe = try Pipe()
        guard let log = pipe.readEnd.take(), let logWriter = pipe.writeEnd.take() else { throw .badValue }
        try log.setNonBlocking()
        let null = OwnedFD(taking: open("/dev/null", O_RDWR | O_CLOEXEC))
        // Their numbers must be above those that they become, see `duplicateForChild`.
        let nullHigh = try null.duplicateForChild()
        let logHigh = try logWriter.duplicateForChild()
        let channelHigh = try theirs.duplicateForChild()
        let otherHigh = try other.duplicateForChild()
        var descriptors = [nullHigh.rawValue, nullHigh.rawValue, logHigh.rawValue, otherHigh.rawValue]
        descriptors.insert(channelHigh.rawValue, at: number)
        let moreHigh: OwnedFD? =
            switch more {
            case .some(let more): try more.duplicateForChild()
            case .none: nil
            }
        switch moreHigh {
        case .some(let more): descriptors.append(more.rawValue)
        case .none: break
        }
        let process = try SpawnedProcess(program, descriptors, &refused)
        pid = process.pid
        pidfd = process.release()
        self.channel = channel
        self.log = log
    }
}
