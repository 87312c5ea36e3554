// What assayd remembers, but for the bytes of models and data (blob_store.h): the catalog, the
// evaluations, the queue, and which assayds work on it. SQLite behind it on one machine
// (sqlite_job_store.h), PostgreSQL for several. Users take the parts that they need.
#ifndef ASSAY_SERVER_STORE_JOB_STORE_H_
#define ASSAY_SERVER_STORE_JOB_STORE_H_

#include "server/store/catalog.h"
#include "server/store/evaluations.h"
#include "server/store/instances.h"
#include "server/store/task_queue.h"

namespace assay::store {

class JobStore : public Catalog, public Evaluations, public TaskQueue, public Instances {};

}  // namespace assay::store

#endif  // ASSAY_SERVER_STORE_JOB_STORE_H_
