//! The scenarios by name, and the help about what they measure.

/// The help about what is measured, by the names in reports.
pub const FIGURES: &str = "
  p50 s to max s        simulated time from the event until the lists of all other available servers are right about
                        it, over the seeds; if both versions run, until those of version 2 are. -: nothing measured;
                        ∞: not within 4 h (version 1: 6 h), or 480 intervals (720) if that is longer
  wrong entries         entries that never became right or became wrong again within five intervals: sum over the seeds
  bytes/server/s        sent and received by a server since the event, headers included: mean over the seeds
  pushes/server         exchanges begun until all lists were right, minus those of the settled cluster: mean
and in some scenarios, the median and the maximum over the seeds:
  own_list              s until the new server's own list is complete too
  called_dead           late-listen: how often it was listed offline; stall: 1 if it was within five intervals
  revivals              how often it was listed online again; v1_revivals: the same for the version 1 server
  v1_killed             s, for the version 1 server
  flips_per_hour        how often one other server changed the state that it lists
  still_online          lists that have it online at the end; liar: invented servers online in the worst list
  took                  lists that had it offline; if none had, there was nothing to refute, and no time is measured
  unraised              1 if any list had it offline and its incarnation is not higher now
  false_deaths          incarnations of available servers that were listed offline; false_deaths_per_hour: the same
  own_side              available servers listed offline on their own side after the partition
  peak                  messages per server in the busiest second, on average; worst_peak: of any server in any second
  wrong_share           share of wrong entries, 0 to 1: 5 s after each start (rolling-restart), at random times (churn)
  age_p99, age_max      age of lastUpdate over all pairs of servers at ten moments, in intervals
  list_right            s until the master list names all servers; writes_until: how often it was written until then
  writes_per_hour       how often it was written in the two hours after
  slandered_p50 to _max s for which a living server was listed offline, each time that it was
  slandered_share       share of the time for which lists had the living server offline that suffered most; _v1: of version 1
  known                 servers in the longest list, invented ones included
  failed                of these, servers that are listed as failed
  probes_per_minute     probes that a server started because of closed watches, on average
  unwatched             servers that watch fewer servers at the end than they should
  listed_offline        s for which the restarted server was listed offline after its start, in the worst list
  sent                  bytes that a server sent each second, packet headers and watches included
  begun                 exchanges that a server began in its busiest second
  largest_body          bytes";

// Each scenario has one line, which is both its documentation and its help.
macro_rules! scenarios {
    ($($name:literal $scenario:ident $line:literal)*) => {
        /// Something that happens to a cluster.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Scenario {
            $(#[doc = $line] $scenario,)*
        }

        impl Scenario {
            /// All scenarios, with their names on the command line and what happens.
            pub const ALL: &[(&str, Self, &str)] = &[$(($name, Self::$scenario, $line),)*];
        }
    };
}

scenarios! {
    "join" Join "a new server starts"
    "late-listen" LateListen "a new server starts and listens 5 to 30 s later: timed from then"
    "crash" Crash "a server's process is killed"
    "gone" Gone "a server's host vanishes: packets to it are lost"
    "hang" Hang "a server's process is suspended for good"
    "blocked" Blocked "a server's event loop blocks for good"
    "unreachable" Unreachable "a server runs for 4 h, and its base URL refuses connections or never answers: no time"
    "leave" Leave "a server shuts down"
    "drain" Drain "a server is drained"
    "refute" Refute "a server is told that another, healthy one has failed: until no list has it offline"
    "stall" Stall "a server's event loop blocks for 10 s, or 5 s at an interval of 2 s and less: no time"
    "loss" Loss "a fifth of exchanges, or --loss, is lost for 4 h, above 100 servers for 1 h: no time"
    "one-way" OneWay "packets from one server to another are lost for an hour: timed from the end of that"
    "partition" Partition "a random half is cut off for an hour, without a master list: timed from the end of that"
    "restart-all" RestartAll "all are killed and start again within 1 s, with the old master list: timed from the kill"
    "rolling-restart" RollingRestart "one by one, up to 50 leave and start again 5 s later: timed from the last start"
    "churn" Churn "twice per interval one is killed, leaves, joins or restarts, for an hour: timed from the end of that"
    "skew" Skew "crash, with clocks an hour wrong that stepped before, one per quarter of an interval, for 20 intervals"
    "mixed" Mixed "half of the servers, or --v1, run version 1: one of version 2 is killed, then one of version 1"
    "idle" Idle "nothing happens for twenty intervals: no time"
    "liar" Liar "a peer with the secret says that living servers are offline, in another form for each seed: timed from the end"
    "hidden" Hidden "a server's process is killed, and another with the secret says that it answers, in the name of all"
    "roll-back" RollBack "all leave and start again as version 1, one by one or together: timed from each start, the slowest"
    "crash-loop" CrashLoop "five new servers start and die within a second, without listening: timed from each end, the slowest"
    "proxy" Proxy "a proxy in front of every server closes connections without a request after 5 s, for an hour: no time"
    "storm" Storm "every watch connection is closed at the same moment, as by a switch that restarts: no time"
    "restart" Restart "a server is killed and starts again 0.3, 1 or 5 s later, by seed: timed from the start"
    "list" List "all start within 1 s, with an empty master list: timed from the last start"
    "store-down" StoreDown "the same, and the master list cannot be read for the next 30 s: timed from the end of that"
    "deploy" Deploy "every ten minutes all are replaced, by servers with new base URLs, 50 times: timed from the end of that"
    "dns" Dns "all start within 1 s, and know one name that leads to all of them: timed from the last start"
    "dns-partition" DnsPartition "a random half is cut off for 26 h, all know one name, no list: timed from the end of that"
    "age" Age "nothing happens, and the age of entries is measured: no time"
}

impl Scenario {
    /// The scenario with a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == name).map(|(_, scenario, _)| *scenario)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, scenario, _)| *scenario == self).map_or("", |(name, ..)| name)
    }

    /// Whether servers find each other by a name, not by a master list.
    pub fn uses_name(self) -> bool {
        matches!(self, Self::Dns | Self::DnsPartition)
    }

    /// Whether it measures a time.
    pub fn is_timed(self) -> bool {
        !matches!(
            self,
            Self::Unreachable | Self::Stall | Self::Loss | Self::Idle | Self::Age | Self::Proxy | Self::Storm
        )
    }
}
