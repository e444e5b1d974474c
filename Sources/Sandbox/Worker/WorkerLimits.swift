extension Limits {
    /// The limits of a worker, and of each `ssh` of one that executes it.
    ///
    /// `data` must hold the largest answer that the config allows and the results that wait. That answer has two streams of 16 MiB
    /// of control characters, each of which takes six bytes in JSON and seven more as text. `openFiles` has room for three pipes
    /// and a pidfd for each of some 120 `ssh` processes, and for 128 local files of uploads. Together with the 253 descriptors that
    /// one message may carry it is below 1,024, the usual limit of the user's other processes: so descriptors of a worker that are
    /// in flight do not keep other processes from sending theirs.
    public static let worker = Limits(data: 2 << 30, addressSpace: 4 << 30, openFiles: 640, addedTasks: 1024)
}
